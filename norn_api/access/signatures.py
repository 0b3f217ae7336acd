"""The signatures of webhooks: a request without a well-formed one is refused before its body is read.

The headers alone show that a signature is missing or malformed, has another algorithm, or is too old. If nothing is
wrong with them, the body is read, up to its limit, whether the webhook exists or not, so that no response reveals which
webhooks exist. Signatures are compared in constant time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog

from norn_api.access.auth import Credentials, Identity, Refusals
from norn_tasks.dispatch import ApiKey
from norn_tasks.domain.access import Actor
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.pushes.signature import proof_of
from norn_tasks.store.apps import webhooks
from norn_tasks.store.database.session import Database

_log = structlog.get_logger("norn.api")

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
        """Returns the webhook as the sender, or None without a valid signature; raises DatabaseDown, SecretsLocked or
        BodyTooLarge.
        """
        proof = proof_of(credentials.headers, self._now())
        if proof is None or not re.fullmatch(r"[1-9][0-9]{0,9}", credentials.webhook, re.ASCII):
            return None
        body = credentials.body()
        with self._database.transaction() as tx:
            sealed = webhooks.sealed_of(tx, int(credentials.webhook))
        if sealed is None or not proof.holds(self._secret(sealed), body):
            return None
        return Identity(Actor(f"webhook {credentials.webhook}"), signed=True)

    def _secret(self, sealed: bytes) -> str:
        try:
            return self._key.open(sealed).reveal()
        except SecretsLocked as error:  # its sentence names a file, which only the operator may see
            _log.error("deliveries cannot be checked", says=error.sentence, hint=error.hint)
            raise SecretsLocked(
                "this server cannot check signatures now", hint="the log of Norn's API says why"
            ) from None
