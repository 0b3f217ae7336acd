"""The keys of Cloudflare Access as rows: the newest keys of each team, with their age."""

from __future__ import annotations

import json
from dataclasses import asdict

from sqlalchemy import text

from norn_tasks.domain.jobs.writes import TeamKeysSeen
from norn_tasks.domain.tunnel.team_keys import TeamKey
from norn_tasks.store.database.session import Row, Tx

OLDEST = 86_400
"""The age in seconds after which keys are no longer used, because Cloudflare may have withdrawn them since."""


def seen(tx: Tx, write: TeamKeysSeen) -> None:
    """Replaces the keys of a team. If they could not be fetched, keeps the earlier ones and stores the error."""
    values = {"issuer": write.issuer, "keys": json.dumps([asdict(key) for key in write.keys]), "error": write.error}
    tx.execute(_FAILED if write.error else _SEEN, values)


_SEEN = text("""
INSERT INTO access_keys (issuer, keys, seen_at, error) VALUES (:issuer, CAST(:keys AS jsonb), clock_timestamp(), '')
ON CONFLICT (issuer) DO UPDATE
   SET keys = excluded.keys, seen_at = excluded.seen_at, error = '', asked_at = clock_timestamp()""")
_FAILED = text("""
INSERT INTO access_keys (issuer, keys, error) VALUES (:issuer, '[]', :error)
ON CONFLICT (issuer) DO UPDATE SET error = excluded.error, asked_at = clock_timestamp()""")


def usable(tx: Tx, issuer: str) -> dict[str, TeamKey]:
    """Returns the keys of a team by their ids; empty if they were last fetched more than a day ago."""
    found = tx.scalar(_USABLE, {"issuer": issuer, "oldest": OLDEST}) or []
    return {each["kid"]: TeamKey(**each) for each in found}


_USABLE = text("""
SELECT keys FROM access_keys
 WHERE issuer = :issuer AND seen_at > clock_timestamp() - make_interval(secs => :oldest)""")


def newest(tx: Tx) -> Row | None:
    """Returns the row of the team whose keys were requested last, with the age of the keys; None if no keys were
    requested within the last hour.
    """
    return tx.execute(_NEWEST).mappings().first()


_NEWEST = text("""
SELECT issuer, jsonb_array_length(keys) AS how_many, error,
       extract(epoch FROM clock_timestamp() - seen_at)::float8 AS age
  FROM access_keys WHERE asked_at > clock_timestamp() - interval '1 hour' ORDER BY asked_at DESC LIMIT 1""")
