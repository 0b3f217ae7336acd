"""The signatures of webhooks: a request is refused before a byte of its body is read, or read by what it says.

A webhook that is not there, a missing or malformed signature, another algorithm and an old time are refused by the
headers alone. Then the body is read, up to its limit, and compared in constant time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from norn_api.access.auth import Credentials, Identity, Refusals
from norn_tasks.dispatch import ApiKey
from norn_tasks.domain.access import Actor
from norn_tasks.domain.pushes.signature import proof_of
from norn_tasks.store.apps import webhooks
from norn_tasks.store.database.session import Database

OF_SIGNATURES = Refusals(
    "too many requests without a good signature came from your address",
    "the signature is missing or wrong, or the address names no webhook",
    "the signature is missing or wrong, or the address names no webhook",
    "copy address and secret of `norn webhook create`; norn webhook rotate ID makes a new secret",
)


class PushSignatures:
    """Identifies the sender of a webhook's delivery by its signature."""

    def __init__(self, database: Database, key: ApiKey, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._key = key
        self._now = now

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the webhook as the sender; raises DatabaseDown, SecretsLocked or BodyTooLarge."""
        proof = proof_of(credentials.headers, self._now())
        if proof is None or not re.fullmatch(r"[1-9][0-9]{0,9}", credentials.webhook, re.ASCII):
            return None
        with self._database.transaction() as tx:
            sealed = webhooks.sealed_of(tx, int(credentials.webhook))
        if sealed is None or not proof.holds(self._key.open(sealed).reveal(), credentials.body()):
            return None
        return Identity(Actor(f"webhook {credentials.webhook}"), signed=True)
