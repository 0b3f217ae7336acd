"""Opens the database in the settings for one of Norn's processes; docs/workers.md counts the connections of each
process.
"""

from __future__ import annotations

from norn_tasks.settings import Settings
from norn_tasks.store.database.bounded import BriefDatabase
from norn_tasks.store.database.session import Database

BESIDE_JOBS = 4
"""How many connections a process may need in addition to those of its jobs: for output, streams and queued builds."""

PINGED_AFTER = 1.0
"""A connection of jobs or requests that was unused for this number of seconds is pinged before its next use."""
SELDOM = 10.0
"""A connection that was not used for this many seconds is tested with a ping before its next use. This value suits a
loop that uses a connection every few seconds and repeats a transaction that failed. With a ping before each
transaction, a third of the loop's load on PostgreSQL would be pings.
"""


def open_database(settings: Settings, process: str, connections: int, *, ping_after_idle: float = 0.0) -> Database:
    """Opens a database with at most `connections`; `process` is its name in the server's list of sessions."""
    return Database(
        settings.database_url,
        pool=connections,
        ping_after_idle=ping_after_idle,
        pooled=settings.pooled,
        process=f"norn-{process}",
    )


def open_for_jobs(settings: Settings, process: str, jobs: int) -> Database:
    """Opens the database of a process that runs `jobs` jobs at the same time; they share NORN_DATABASE_CONNECTIONS."""
    connections = min(jobs + BESIDE_JOBS, settings.database_connections)
    return open_database(settings, process, connections, ping_after_idle=PINGED_AFTER)


def open_for_requests(settings: Settings) -> BriefDatabase:
    """Opens the database of an API process; its requests share NORN_DATABASE_CONNECTIONS."""
    connections = settings.database_connections
    return BriefDatabase(
        settings.database_url,
        pool=connections,
        pooled=settings.pooled,
        process="norn-api",
        ping_after_idle=PINGED_AFTER,
    )
