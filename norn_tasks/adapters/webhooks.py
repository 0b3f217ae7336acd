"""Notifications as signed webhooks, and the dead man's call (ports.Messenger)."""

from __future__ import annotations

from norn_tasks.adapters.outgoing import NotReached, Outgoing
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.ports import Outbox, Receipt, Vault


class Webhooks:
    """Keeps `ports.Messenger`: what is to be sent comes from the outbox, is signed with what the vault opens,
    and goes out by the rules of `outgoing`.
    """

    def __init__(self, outbox: Outbox, vault: Vault, outgoing: Outgoing, deadman_url: str) -> None:
        self._outbox, self._vault, self._outgoing, self._deadman_url = outbox, vault, outgoing, deadman_url

    def deliver(self, delivery: int) -> Receipt | None:
        """Sends a delivery to its destination; None when there is nothing to send any more."""
        parcel = self._outbox.parcel(delivery)
        if parcel is None:
            return None
        try:
            secret = self._vault.open(parcel.sealed)
        except SecretsLocked as error:
            return Receipt(False, f"it cannot be signed: {error.sentence}")
        return self._sent(parcel.url, parcel.content(), parcel.headers(secret))

    def call_deadman(self) -> Receipt:
        """Calls the dead man's address."""
        if not self._deadman_url:
            return Receipt(False, "NORN_DEADMAN_URL is not set for this worker")
        return self._sent(self._deadman_url, b"", {})

    def _sent(self, url: str, content: bytes, headers: dict[str, str]) -> Receipt:
        try:
            status = self._outgoing.post(url, content, headers)
        except NotReached as error:
            return Receipt(False, str(error))
        return Receipt(200 <= status < 300, f"it answered {status}")
