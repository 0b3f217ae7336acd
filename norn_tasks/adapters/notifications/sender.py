"""Sends notifications to their destinations, each in the destination's format, and calls the dead man's switch
(ports.Messenger).
"""

from __future__ import annotations

import re

from norn_tasks.adapters.notifications.mail import Mail
from norn_tasks.adapters.notifications.posts import Post, chat_post
from norn_tasks.adapters.outgoing import NotReached, Outgoing
from norn_tasks.domain.alerting.destination import NotificationFormat, mailboxes
from norn_tasks.domain.alerting.message import message, one_line
from norn_tasks.domain.alerting.notification import LONGEST_PAUSE, Parcel
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.ports import Outbox, Receipt, Vault

_PART = 8
"""A part of an address with at least this length may be a secret, and is not quoted in messages."""


class Sender:
    """Implements `ports.Messenger`: takes notifications from the outbox and sends them under the rules of `outgoing`.

    The vault decrypts the secret with which a webhook is signed. `server` is this server's name in messages.
    """

    def __init__(
        self, outbox: Outbox, vault: Vault, outgoing: Outgoing, *, deadman_url: str = "", mail: Mail | None = None,
        server: str = "norn",
    ) -> None:  # fmt: skip
        self._outbox, self._vault, self._outgoing = outbox, vault, outgoing
        self._deadman_url, self._mail, self._server = deadman_url, mail, server

    def deliver(self, delivery: int) -> Receipt | None:
        """Sends a delivery to its destination, and returns whether it arrived; returns None if nothing is left
        to send.
        """
        parcel = self._outbox.parcel(delivery)
        if parcel is None:
            return None
        if parcel.format is NotificationFormat.MAIL:
            return self._mailed(parcel)
        try:
            return self._posted(parcel.url, self._post(parcel))
        except SecretsLocked as error:
            return Receipt(False, f"it cannot be signed: {error.sentence}")

    def call_deadman(self) -> Receipt:
        """Calls the address of the dead man's switch, a service that raises an alarm when the calls stop; returns its
        answer.
        """
        if not self._deadman_url:
            return Receipt(False, "NORN_DEADMAN_URL is not set for this worker")
        return self._posted(self._deadman_url, Post(b"", {}))

    def _post(self, parcel: Parcel) -> Post:
        if parcel.format is not NotificationFormat.JSON or parcel.sealed is None:
            return chat_post(parcel.format, message(self._server, (parcel.body, *parcel.others)))
        return Post(parcel.content(), parcel.headers(self._vault.open(parcel.sealed)))

    def _posted(self, url: str, post: Post) -> Receipt:
        try:
            answer = self._outgoing.post(url, post.content, post.headers)
        except NotReached as error:
            return Receipt(False, str(error))
        said = f": {_hidden(answer.said, url)}" if answer.said else ""
        pause = None if answer.pause is None else min(answer.pause, LONGEST_PAUSE)
        return Receipt(200 <= answer.status < 300, f"it answered {answer.status}{said}", pause)

    def _mailed(self, parcel: Parcel) -> Receipt:
        if self._mail is None:
            return Receipt(False, "no mail server is set: give the workers NORN_SMTP_URL and NORN_SMTP_FROM")
        words = message(self._server, (parcel.body, *parcel.others))
        try:
            sent = self._mail.send(parcel.id, parcel.to or mailboxes(parcel.url), words)
            return Receipt(not sent.later, sent.reply, left=sent.later)
        except NotReached as error:
            return Receipt(False, str(error))


def _hidden(said: str, url: str) -> str:
    """Returns the answer on one line, without the parts of the address that may be secret."""
    text = said
    for part in re.split(r"[/?&=]", url.partition("://")[2].partition("/")[2]):
        if len(part) >= _PART:
            text = text.replace(part, "***")
    return one_line(text, 200)
