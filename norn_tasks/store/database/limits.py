"""The limits of Norn's sessions, such as the longest wait for a lock, on a direct connection and through a pooler.

A direct connection gets them when it is opened. A pooler in transaction mode refuses such options, and gives each
transaction another connection to the server; so through a pooler each transaction sets the limits itself.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

IDLE_SECONDS = 10
"""Seconds after which the server ends a session that does nothing inside a transaction.

This is less than NORN_SELF_STOP_SECONDS. If a frozen process has locked the row of a job, the job's lease cannot be
renewed. So the process must lose the lock before the job stops itself.
"""

UNUSED_SECONDS = 120
"""Seconds after which the server ends a session that nobody uses, so that a burst of work leaves no idle sessions
behind.
"""

_LIMITS = {
    "statement_timeout": "20000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": str(IDLE_SECONDS * 1000),
    "timezone": "UTC",
    "jit": "off",
}
"""JIT is off, because PostgreSQL starts it by estimated cost alone. It once compiled for 2 s before a claim that took 2
ms.
"""
_SET = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _LIMITS.items())


def options() -> dict[str, str]:
    """Returns the arguments of a direct connection. They set the limits, and make the server plan a prepared statement
    only once.
    """
    unused = str(UNUSED_SECONDS * 1000)
    given = {**_LIMITS, "idle_session_timeout": unused, "plan_cache_mode": "force_generic_plan"}
    return {"options": " ".join(f"-c {name}={value}" for name, value in given.items())}


def limit_each_transaction(engine: Engine) -> None:
    """Sets the limits at the beginning of every transaction."""

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(_SET)

    _listen: Any = event.listen
    _listen(engine, "begin", begun)
