"""The sender of webhooks: the same results from the fake and from the real one, and addresses that the real one
refuses.
"""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from norn_tasks.adapters.notifications.sender import Sender
from norn_tasks.adapters.outgoing import NotReached, Outgoing
from norn_tasks.domain.alerting.destination import NotificationFormat
from norn_tasks.domain.alerting.notification import LONGEST_PAUSE, Parcel, sign
from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.ports import Messenger, Receipt
from tests.fakes.vault import FakeVault, sealed
from tests.fakes.webhooks import FakeMessenger, FakeOutbox
from tests.receiver import Receiver
from tests.servers import allowed, free_port

OPEN = {
    "event": "alert.raised", "kind": "down", "severity": "critical", "app": "blog", "at": "2026-11-30T03:00:04+00:00",
    "sentence": "no replica of blog serves", "hint": "norn why blog",
}  # fmt: skip
OVER = {**OPEN, "event": "alert.resolved", "resolution": "it serves", "since": OPEN["at"]}


def parcel(url: str) -> Parcel:
    return Parcel("abc123-7", "alert.raised", url, sealed("ops", "whsec_x"), {"event": "alert.raised"}, 1_700_000_000)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that receives webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(params=["fake", "real"])
def messenger(request: pytest.FixtureRequest, receiver: Receiver) -> Messenger:
    """A sender with delivery 7 in its outbox, and a receiver that responds with 204 and then with 500."""
    receiver.statuses = [204, 500]
    outbox = FakeOutbox({7: parcel(receiver.url())})
    if request.param == "fake":
        return FakeMessenger(outbox)
    return Sender(outbox, FakeVault(), Outgoing(private=True), deadman_url=receiver.url("/alive"))


# Both senders


def test_a_2xx_is_taken(messenger: Messenger) -> None:
    receipt = messenger.deliver(7)
    assert receipt is not None
    assert (receipt.taken, receipt.outcome) == (True, "it answered 204")


def test_any_other_status_is_not(messenger: Messenger) -> None:
    messenger.deliver(7)
    if isinstance(messenger, FakeMessenger):
        messenger.status = 500
    receipt = messenger.deliver(7)
    assert receipt is not None
    assert (receipt.taken, receipt.outcome) == (False, "it answered 500")


def test_a_delivery_that_is_not_there_is_nothing_to_send(messenger: Messenger) -> None:
    assert messenger.deliver(8) is None


def test_the_dead_mans_call_has_its_receipt_too(messenger: Messenger) -> None:
    assert messenger.call_deadman().taken


# What the real one sends


def test_a_parcel_is_posted_with_its_signature(receiver: Receiver) -> None:
    Sender(FakeOutbox({7: parcel(receiver.url())}), FakeVault(), Outgoing(private=True)).deliver(7)
    (came,) = receiver.came
    assert (came.body, came.headers["content-type"]) == (b'{"event":"alert.raised"}', "application/json")
    assert came.headers["x-norn-signature"] == sign("whsec_x", 1_700_000_000, came.body)
    assert came.headers["host"] == receiver.url().split("/")[2]


def test_what_cannot_be_signed_is_not_sent(receiver: Receiver) -> None:
    outbox, vault = FakeOutbox({7: parcel(receiver.url())}), FakeVault(locked=True)
    receipt = Sender(outbox, vault, Outgoing(private=True)).deliver(7)
    assert receipt is not None
    assert (receipt.taken, receipt.outcome.startswith("it cannot be signed: "), receiver.came) == (False, True, [])


def test_a_signature_is_hmac_sha256_over_timestamp_dot_body() -> None:
    told = subprocess.run(["openssl", "dgst", "-sha256", "-hmac", "whsec_x"], input=b'1700000000.{"a":1}',
                          capture_output=True, check=True).stdout.decode()  # fmt: skip
    assert sign("whsec_x", 1_700_000_000, b'{"a":1}') == f"sha256={told.split()[-1]}"


def test_pauses_double_up_to_an_hour() -> None:
    assert [doubling_pause(10, attempt, most=LONGEST_PAUSE) for attempt in (1, 2, 3, 9, 10, 200)] == [
        10,
        20,
        40,
        2560,
        3600,
        3600,
    ]


def test_nobody_answers_is_a_receipt() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    receipt = Sender(FakeOutbox({7: parcel(url)}), FakeVault(), Outgoing(private=True)).deliver(7)
    assert receipt is not None
    assert (receipt.taken, receipt.outcome) == (False, "127.0.0.1 could not be reached: connection refused")


@pytest.mark.parametrize(
    ("kind", "said"),
    [("text/plain", ": no_service for ***"), ("application/json; charset=utf-8", ": no_service for ***"),
     ("text/html", "")],
)  # fmt: skip
def test_a_refusal_is_quoted_without_the_address_and_with_its_pause(receiver: Receiver, kind: str, said: str) -> None:
    receiver.statuses, receiver.said = [429], b"no_service\n for T0SECRETX"
    receiver.headers = {"Content-Type": kind, "Retry-After": "7"}
    slack = replace(
        parcel(receiver.url("/services/T0SECRETX")), format=NotificationFormat.SLACK, sealed=None, body=OPEN
    )
    receipt = Sender(FakeOutbox({7: slack}), FakeVault(), Outgoing(private=True)).deliver(7)
    assert receipt == Receipt(False, f"it answered 429{said}", 7.0)


@pytest.mark.parametrize(("text", "pause"), [("soon", None), ("-3", 0.0), ("nan", None), ("1e9", LONGEST_PAUSE), (
    "Wed, 21 Oct 2015 07:28:00 GMT", 0.0)])  # fmt: skip
def test_a_pause_that_is_asked_for_has_bounds(receiver: Receiver, text: str, pause: float | None) -> None:
    receiver.statuses, receiver.headers = [503], {"Retry-After": text}
    receipt = Sender(FakeOutbox({7: parcel(receiver.url())}), FakeVault(), Outgoing(private=True)).deliver(7)
    assert receipt is not None
    assert receipt.pause == pause


def test_ntfy_gets_text_and_a_title_that_any_language_fits_into(receiver: Receiver) -> None:
    ntfy = replace(
        parcel(receiver.url("/norn")), format=NotificationFormat.NTFY, sealed=None, body=OPEN, others=(OVER,)
    )
    assert Sender(FakeOutbox({7: ntfy}), FakeVault(), Outgoing(private=True), server="Grün 🍏").deliver(7)
    (came,) = receiver.came
    assert str(make_header(decode_header(came.headers["title"]))) == "[Grün 🍏] 2 alerts: 1 open, 1 resolved"
    assert (came.headers["priority"], came.headers["tags"]) == ("5", "rotating_light")
    assert came.body.decode().splitlines()[:2] == ["blog: down (open, critical)", OPEN["sentence"]]


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [302], {"Location": receiver.url("/elsewhere")}
    assert Outgoing(private=True).post(receiver.url(), b"", {}).status == 302
    assert [came.path for came in receiver.came] == ["/hook"]


# What the real one refuses (security.md 13)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "224.0.0.1", "2130706433", "0x7f.1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(NotReached, match="not an address of the public internet"):
        Outgoing().post(f"https://{host}:1/", b"", {})


def test_a_listener_on_loopback_hears_nothing(receiver: Receiver) -> None:
    with pytest.raises(NotReached):
        Outgoing().post(receiver.url().replace("http:", "https:"), b"x", {})
    assert receiver.came == []


def test_without_tls_nothing_is_sent(receiver: Receiver) -> None:
    with pytest.raises(NotReached, match="http is not https"):
        Outgoing().post(receiver.url(), b"x", {})
    assert receiver.came == []


def test_a_host_without_an_address_is_named() -> None:
    with pytest.raises(NotReached, match=r"a\.example has no address"):
        Outgoing(resolve=lambda *_, **__: []).post("https://a.example/", b"", {})


def test_an_unknown_host_is_told() -> None:
    with pytest.raises(NotReached, match=r"the host no\.such\.host\.invalid is not known"):
        Outgoing().post("https://no.such.host.invalid/", b"", {})


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver with a self-signed certificate for `localhost`."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)  # fmt: skip
    both = tmp_path / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    receiver = Receiver(certificate=both)
    yield receiver
    receiver.stop()


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: Receiver) -> None:
    with pytest.raises(NotReached, match="the certificate of localhost is not good"):
        Outgoing(private=True).post(secure.url(host="localhost"), b"x", {})
    assert secure.came == []


def test_a_certificate_of_an_operators_own_is_good_for_its_name_only(
    secure: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the resolved address, and the certificate is checked for the host's name."""
    assert secure.certificate is not None
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.certificate))
    assert Outgoing(private=True).post(secure.url(host="localhost"), b"x", {}).status == 204
    with pytest.raises(NotReached, match="certificate"):
        Outgoing(private=True).post(secure.url(host="127.0.0.1"), b"x", {})


def test_an_answer_that_trickles_is_ended_by_the_one_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    while True:
                        connection.sendall(b"X: y\r\n")
                        time.sleep(0.1)
                except OSError:
                    pass  # the client has closed the connection

        threading.Thread(target=trickle, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(NotReached, match="did not answer within 1 s"):
            Outgoing(private=True, limit=1).post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"", {})
    assert time.monotonic() - began < allowed(2)
