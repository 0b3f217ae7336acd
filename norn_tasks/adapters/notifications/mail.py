"""Sends notifications by mail, over TLS, through the mail server that the settings name."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NotYetDone
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from norn_tasks.adapters import timeouts
from norn_tasks.adapters.outgoing import NotReached, Outgoing, reason, seconds_left
from norn_tasks.domain.alerting.mail_server import MailServer
from norn_tasks.domain.alerting.message import AlertMessage, one_line


@dataclass(frozen=True)
class SentMail:
    """The replies of a mail server that accepted a message."""

    reply: str
    """The server's reply to the message, and its reply for each address that it refused."""
    later: tuple[str, ...] = ()
    """The addresses that the server refused for now (4xx), for example because of a full mailbox or greylisting."""


@dataclass(frozen=True)
class Mail:
    """Sends mail through one mail server, under the rules of `outgoing`."""

    server: MailServer
    """The mail server."""
    sender: str
    """The sender's address."""
    outgoing: Outgoing
    """The rules for outgoing connections."""

    def send(self, delivery: str, to: Sequence[str], words: AlertMessage) -> SentMail:
        """Sends a message and returns the replies of the server; raises NotReached, whose text never contains the
        password.
        """
        end = time.monotonic() + self.outgoing.limit
        try:
            return self._within(end, self._content(delivery, to, words), to)
        except TimeoutError as error:
            raise NotReached(f"{self.server.host} did not answer within {self.outgoing.limit:g} s") from error
        except ssl.SSLCertVerificationError as error:
            said = f"the certificate of {self.server.host} is not good: {error.verify_message}"
            raise NotReached(said) from error
        except ssl.SSLError as error:
            where = f"{self.server.host} speaks no TLS on port {self.server.port}"
            raise NotReached(f"{where}: {error.reason or error}; smtps begins with TLS, smtp with STARTTLS") from None
        except smtplib.SMTPResponseException as error:
            raise NotReached(f"the mail server answered {self._reply(error.smtp_code, error.smtp_error)}") from None
        except UnicodeError:
            # repr() of this error would show the user and the password.
            raise NotReached("the mail account's user or password has letters that its login cannot send") from None
        except (OSError, smtplib.SMTPException) as error:
            said = self._hidden(reason(error)).lower()
            raise NotReached(f"{self.server.host} could not be reached: {said}") from None

    def _content(self, delivery: str, to: Sequence[str], words: AlertMessage) -> bytes:
        mail = EmailMessage(SMTP)
        mail["Subject"], mail["From"], mail["To"] = one_line(words.title), self.sender, ", ".join(to)
        mail["Date"] = formatdate()
        # Every try sends the same message id, so that a mailbox that already has the message can drop the second copy.
        mail["Message-ID"] = f"<{delivery}@{self.sender.partition('@')[2]}>"
        mail["Auto-Submitted"], mail["X-Norn-Delivery"] = "auto-generated", delivery
        mail.set_content(words.text + "\n", cte="quoted-printable")
        return mail.as_bytes()

    def _within(self, end: float, content: bytes, to: Sequence[str]) -> SentMail:
        connection = self.outgoing.reach(self.server.host, self.server.port, end)
        # TLS detaches `connection`. This duplicate of the socket stays usable, and shutting it down ends a call that
        # blocks in its thread.
        with connection.dup() as handle:
            sending = timeouts.begin(lambda: self._sent(connection, content, to, end))
            try:
                return sending.result(seconds_left(end))
            except NotYetDone as error:
                raise TimeoutError from error
            finally:
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def _sent(self, connection: socket.socket, content: bytes, to: Sequence[str], end: float) -> SentMail:
        with closing(self._greeted(connection, end)) as smtp:
            _require(smtp.mail(self.sender))
            refused = [(address, reply) for address in to if (reply := smtp.rcpt(address))[0] not in (250, 251)]
            later = tuple(address for address, (code, _) in refused if 400 <= code < 500)
            if len(refused) == len(to):
                _require(next((reply for address, reply in refused if address in later), refused[0][1]))
            reply = _require(smtp.data(content))
            # The server has accepted the mail. Waiting for the answer to QUIT could end in a timeout, and then in a
            # second mail.
            with suppress(smtplib.SMTPException, OSError):
                smtp.putcmd("quit")
        left_out = "".join(f"; not for {address}: {self._reply(*answer)}" for address, answer in refused)
        return SentMail(f"the mail server answered {self._reply(*reply)}{left_out}", later)

    def _greeted(self, connection: socket.socket, end: float) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self.server.tls:
            connection = context.wrap_socket(connection, server_hostname=self.server.host)
        smtp = _Connected(connection, self.server, seconds_left(end))
        smtp.ehlo_or_helo_if_needed()
        if not self.server.tls:
            self._start_tls(smtp, context)
        if self.server.user:
            smtp.login(self.server.user, self.server.password.reveal())
        return smtp

    def _start_tls(self, smtp: smtplib.SMTP, context: ssl.SSLContext) -> None:
        if smtp.has_extn("starttls"):
            _require(smtp.starttls(context=context))
        elif self.server.user or not self.outgoing.private:
            raise NotReached(f"{self.server.host} offers no STARTTLS, and nothing is sent without TLS")

    def _reply(self, code: int, text: bytes | str) -> str:
        return self._hidden(f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}")

    def _hidden(self, said: object) -> str:
        """Returns a text on one line, shortened. The password is removed first, because shortening could leave part of
        it.
        """
        password = self.server.password.reveal()
        text = str(said)
        return one_line(text.replace(password, "***") if password else text, 200)


class _Connected(smtplib.SMTP):
    """An SMTP client on a connection that is already open; it verifies the server's name when it starts TLS."""

    def __init__(self, connection: socket.socket, server: MailServer, timeout: float) -> None:
        self._connection = connection
        super().__init__(server.host, server.port, local_hostname=socket.gethostname(), timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        self._connection.settimeout(timeout)
        return self._connection


def _require(reply: tuple[int, bytes]) -> tuple[int, bytes]:
    code, text = reply
    if not 200 <= code < 300:
        raise smtplib.SMTPResponseException(code, text)
    return reply
