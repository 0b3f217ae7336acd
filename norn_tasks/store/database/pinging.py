"""Pings a pooled connection before its use if it may be dead, so that no request fails because of an old connection."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg2
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError


def ping_unsure_connections(engine: Engine, seconds: float) -> None:
    """Pings a connection on checkout when it has been idle for `seconds`, or when its server has sent something."""

    def given_back(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def given_out(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get("used", float("inf")) < seconds and not _has_sent(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg2.Error as error:
            raise DisconnectionError(str(error)) from error

    event.listen(engine, "checkin", given_back)
    event.listen(engine, "checkout", given_out)


def _has_sent(connection: Any) -> bool:
    """Returns True if the server has sent something on an unused connection: mostly, that it has ended the session."""
    if connection.closed:
        return True
    ready = select.poll()
    ready.register(connection.fileno(), select.POLLIN)
    return bool(ready.poll(0))
