"""Bodies that are read before their sender is known: sign-ins, and deliveries of webhooks, whose signature covers the
body.

Only a few are read at the same time, each within a time limit, so that strangers occupy few threads and little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from norn_api.access.auth import Credentials
from norn_api.services import norn
from norn_api.web.request import current
from norn_api.web.senders import signed_credentials

BODY_SECONDS = 30.0
"""The longest time that the body of a sign-in or of a delivery may take to arrive."""
_SIGN_IN_MAX = 8 * 1024
_LARGE = 1024 * 1024
_TURN_SECONDS = 2.0


def read_sign_in() -> None:
    """Reads the body of a sign-in before its view runs; raises TooManyRequests, BodyTooLarge or BadRequest."""
    asked = current()
    limit = min(_SIGN_IN_MAX, asked.json_limit)
    with norn().sign_ins.place():
        asked.read_body(limit, hint="send a token or a code, and nothing else", seconds=BODY_SECONDS)


@contextmanager
def delivery() -> Iterator[Credentials]:
    """Yields the parts of a delivery that can identify its sender; until the block ends, the delivery counts toward the
    limits.

    Raises TooManyRequests.
    """
    sent = signed_credentials(norn().settings.webhook_max, BODY_SECONDS)
    with norn().deliveries.place():
        if not _is_large():
            yield sent
            return
        with norn().large_deliveries.place(_TURN_SECONDS):
            yield sent


def _is_large() -> bool:
    """Returns True for a body that is large, or that may be large because its length is not given."""
    return (request.content_length or 0) > _LARGE or "Transfer-Encoding" in request.headers
