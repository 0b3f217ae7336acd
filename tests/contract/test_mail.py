"""Sends mail to a real SMTP server: TLS, accounts, refusals; only the intended message must arrive."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import subprocess
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from norn_tasks.adapters.notifications.mail import Mail
from norn_tasks.adapters.notifications.sender import Sender
from norn_tasks.adapters.outgoing import NotReached, Outgoing
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.mail_server import MailServer, mail_server
from norn_tasks.domain.alerting.message import AlertMessage, Level
from norn_tasks.domain.alerting.notification import Parcel
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Receipt
from tests.fakes.vault import FakeVault
from tests.fakes.webhooks import FakeOutbox
from tests.servers import allowed, free_port

WORDS = AlertMessage(
    "[Grün] blog: down (open, critical)", "no replica of blog serves: größer\n.\nNext: norn why blog", Level.CRITICAL
)
TO = ("ops@example.org", "ann@example.org")


@dataclass
class Mailbox:
    """The mailbox behind the server. `came`: the received messages; `refused`: addresses that are refused forever;
    `busy`: addresses that are refused for now; `goodbye`: whether QUIT gets a response.
    """

    came: list[Envelope] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    goodbye: bool = True

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        if address in self.busy:
            return "450 4.2.0 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.came.append(envelope)
        return "250 2.0.0 queued as 7"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        if not self.goodbye:
            await asyncio.Event().wait()
        return "221 Bye"


class Server(Controller):
    """An SMTP server for `localhost`; `context`: its certificate, `smtps`: TLS from the first byte."""

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext | None = None, *, smtps: bool = False, **more: Any):
        super().__init__(
            mailbox, hostname="127.0.0.1", port=free_port(), ssl_context=context if smtps else None,
            tls_context=None if smtps else context, authenticator=_known, **more,
        )  # fmt: skip


def _known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == (b"norn", b"hunter2/"), handled=False)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    """A certificate for `localhost` that this process trusts."""
    both, where = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tmp_path_factory.mktemp("mail")
    key, certificate = where / "key.pem", where / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)  # fmt: skip
    both.load_cert_chain(certificate, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate))
        yield both


@pytest.fixture
def mailbox() -> Mailbox:
    """An empty mailbox."""
    return Mailbox()


def mail(server: Server | int, *, scheme: str = "smtps", user: str = "norn:hunter2%2F@", private: bool = True) -> Mail:
    port = server if isinstance(server, int) else server.port
    outgoing = Outgoing(private=private, limit=2)
    return Mail(mail_server(f"{scheme}://{user}localhost:{port}"), "norn@example.org", outgoing)


@pytest.fixture(params=["smtps", "smtp"])
def sending(request: pytest.FixtureRequest, mailbox: Mailbox, context: ssl.SSLContext) -> Iterator[Mail]:
    """A sender of mail over either kind of TLS, with an account."""
    server = Server(mailbox, context, smtps=request.param == "smtps", auth_required=True,
                    require_starttls=request.param == "smtp", auth_require_tls=request.param == "smtp")  # fmt: skip
    server.start()
    yield mail(server, scheme=request.param)
    server.stop()


def test_a_message_arrives_as_it_was_meant(sending: Mail, mailbox: Mailbox) -> None:
    assert sending.send("abc-7", TO, WORDS).reply == "the mail server answered 250 2.0.0 queued as 7"
    (came,) = mailbox.came
    read = email.message_from_bytes(came.content, policy=default)
    assert (came.mail_from, came.rcpt_tos) == ("norn@example.org", list(TO))
    assert (read["Subject"], read["Message-ID"], read["Auto-Submitted"]) == (
        WORDS.title, "<abc-7@example.org>", "auto-generated",
    )  # fmt: skip
    assert read.get_content().replace("\r\n", "\n") == WORDS.text + "\n"
    assert came.content.isascii()


def test_a_line_end_in_a_title_is_no_header(sending: Mail, mailbox: Mailbox) -> None:
    sending.send("abc-7", TO, AlertMessage("x\r\nBcc: eve@example.org", "y", Level.TEST))
    read = email.message_from_bytes(mailbox.came[0].content, policy=default)
    assert (read["Bcc"], read["Subject"]) == (None, "x Bcc: eve@example.org")


def test_mail_that_a_server_has_taken_is_sent_whatever_it_does_after_that(sending: Mail, mailbox: Mailbox) -> None:
    mailbox.goodbye = False
    assert sending.send("abc-7", TO, WORDS).reply == "the mail server answered 250 2.0.0 queued as 7"


def test_those_who_are_refused_are_named_and_the_others_get_it(sending: Mail, mailbox: Mailbox) -> None:
    mailbox.refused = TO[:1]
    said = sending.send("abc-7", TO, WORDS)
    assert said.later == ()
    assert said.reply.endswith("queued as 7; not for ops@example.org: 550 5.1.1 no such mailbox")
    assert mailbox.came[0].rcpt_tos == ["ann@example.org"]
    mailbox.refused = TO
    with pytest.raises(NotReached, match=r"the mail server answered 550 5\.1\.1 no such mailbox"):
        sending.send("abc-8", TO, WORDS)
    assert len(mailbox.came) == 1


def test_an_address_that_is_refused_for_the_moment_is_left_for_later(sending: Mail, mailbox: Mailbox) -> None:
    mailbox.busy = TO[:1]
    outbox = FakeOutbox({7: _parcel(f"mailto:{','.join(TO)}")})
    receipt = Sender(outbox, FakeVault(), Outgoing(), mail=sending).deliver(7)
    assert receipt is not None and (receipt.taken, receipt.left) == (False, TO[:1])
    assert receipt.outcome.endswith("not for ops@example.org: 450 4.2.0 come again")
    mailbox.busy, outbox.parcels[7] = (), replace(outbox.parcels[7], to=receipt.left)
    again = Sender(outbox, FakeVault(), Outgoing(), mail=sending).deliver(7)
    assert again is not None and (again.taken, again.left) == (True, ())
    assert [each.rcpt_tos for each in mailbox.came] == [["ann@example.org"], ["ops@example.org"]]


def test_a_password_across_the_cut_of_a_long_answer_is_hidden_whole(sending: Mail) -> None:
    said = sending._reply(535, f"{'x' * 190} hunter2/ is wrong")
    assert "hunt" not in said and len(said) <= 200


def test_a_wrong_password_is_the_servers_word_and_not_ours(mailbox: Mailbox, context: ssl.SSLContext) -> None:
    server = Server(mailbox, context, smtps=True, auth_require_tls=False)
    server.start()
    with pytest.raises(NotReached, match=r"^the mail server answered 535") as refused:
        mail(server, user="norn:hunter3@").send("abc-7", TO, WORDS)
    server.stop()
    assert ("hunter3" in str(refused.value), mailbox.came) == (False, [])


def test_a_password_that_a_login_cannot_send_is_in_no_error(mailbox: Mailbox, context: ssl.SSLContext) -> None:
    server = Server(mailbox, context, smtps=True, auth_require_tls=False)
    server.start()
    account = MailServer("localhost", server.port, tls=True, user="norn", password=Secret("hünter2"))
    with pytest.raises(NotReached, match="letters that its login cannot send") as refused:
        Mail(account, "norn@example.org", Outgoing(private=True, limit=2)).send("abc-7", TO, WORDS)
    server.stop()
    assert "nter2" not in "".join(traceback.format_exception(refused.value))


def test_without_tls_nothing_is_sent_but_to_a_relay_that_an_operator_allows(mailbox: Mailbox) -> None:
    server = Server(mailbox)
    server.start()
    with pytest.raises(NotReached, match="localhost offers no STARTTLS, and nothing is sent without TLS"):
        mail(server, scheme="smtp").send("abc-7", TO, WORDS)
    assert mailbox.came == []
    mail(server, scheme="smtp", user="").send("abc-7", TO, WORDS)
    server.stop()
    assert len(mailbox.came) == 1


def test_a_certificate_of_another_name_is_refused(mailbox: Mailbox, context: ssl.SSLContext) -> None:
    server = Server(mailbox, context)
    server.start()
    other = Mail(mail_server(f"smtp://127.0.0.1:{server.port}"), "norn@example.org", Outgoing(private=True))
    with pytest.raises(NotReached, match=r"the certificate of 127\.0\.0\.1 is not good"):
        other.send("abc-7", TO, WORDS)
    server.stop()


def test_tls_on_a_port_without_it_is_named(mailbox: Mailbox) -> None:
    server = Server(mailbox)
    server.start()
    with pytest.raises(NotReached, match=r"localhost speaks no TLS on port \d+: .*smtp with STARTTLS"):
        mail(server).send("abc-7", TO, WORDS)
    server.stop()


def test_an_address_that_is_not_public_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(NotReached, match="not an address of the public internet"):
        mail(25, private=False).send("abc-7", TO, WORDS)


def test_a_server_that_says_nothing_is_left_after_the_one_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(NotReached, match="localhost did not answer within 2 s"):
            mail(silent.getsockname()[1], scheme="smtp").send("abc-7", TO, WORDS)
    assert time.monotonic() - began < allowed(4)


def _parcel(url: str) -> Parcel:
    body = {"event": "test", "sentence": "ann sent this to test whether notifications arrive"}
    return Parcel("abc-7", "test", url, None, body, 1_700_000_000, NotificationFormat.MAIL)


def test_a_delivery_by_mail_has_its_receipt() -> None:
    outbox = FakeOutbox({7: _parcel("mailto:ops@example.org")})
    missing = Receipt(False, "no mail server is set: give the workers NORN_SMTP_URL and NORN_SMTP_FROM")
    assert Sender(outbox, FakeVault(), Outgoing()).deliver(7) == missing
    receipt = Sender(outbox, FakeVault(), Outgoing(), mail=mail(free_port())).deliver(7)
    assert receipt == Receipt(False, "localhost could not be reached: connection refused")
