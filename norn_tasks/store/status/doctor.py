"""The checks of `norn doctor` that are not part of health: disks, clocks, workers, schema, secrets, backups and
retention.

They read rows that Norn's processes write about themselves; every failed check has a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import text

from norn_tasks.domain.disk import ENGINE, Least, Space, amount
from norn_tasks.domain.jobs.facts import ORPHANS_REMOVED
from norn_tasks.domain.wording import log_of
from norn_tasks.store.access import team_keys
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.status import runs_reach, tunnel
from norn_tasks.store.status.health import WORKER_SILENCE, CheckStatus, HealthCheck
from norn_tasks.store.upkeep import exclusive_tasks

WITHIN_REACH = frozenset({"secrets", "dead jobs", "reach", "backup", "external"})
"""The checks that only cover apps that the reader may see."""
CLOCK_WARN, CLOCK_FAIL = 2.0, 30.0
CONNECTIONS_WARN = 0.8
"""If more than this fraction of PostgreSQL's connections is in use, the check warns."""
LOOK_SILENCE, RETENTION_SILENCE, BACKUP_OLD = 120.0, 2.5 * 3600, 7 * 86400.0
OK, WARN, FAIL = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL
_HOUR, _DAY = 3600.0, 86400.0
_SAVE = "run norn backup FILE on its machine; with docker-compose, write NORN_DATABASE_URL=… before it: docs/backup.md"

_ACCESS = "NORN_ACCESS_TEAM names the team: docs/access.md; a token still works"

_WORKERS = text("""
SELECT name, host, spaces, clock_offset, engine, extract(epoch FROM clock_timestamp() - seen_at)::float8 AS age
  FROM workers ORDER BY name""")
_LOOKS = text("""
SELECT w.what, extract(epoch FROM clock_timestamp() - l.ended_at)::float8 AS age
  FROM (SELECT NULL AS cluster, 'the engine' AS what
        UNION SELECT cluster, 'the cluster ' || cluster FROM apps WHERE cluster IS NOT NULL) w
  LEFT JOIN LATERAL (SELECT ended_at FROM jobs j
    WHERE j.kind = 'observe' AND j.state = 'succeeded' AND j.cluster IS NOT DISTINCT FROM w.cluster
    ORDER BY j.id DESC LIMIT 1) l ON true
 ORDER BY l.ended_at NULLS FIRST, w.cluster""")
"""The last observation of the engines, and of each cluster that has an app, oldest first."""
_REMOVED = text(f"""
SELECT coalesce(sum((facts->>'{ORPHANS_REMOVED}')::int), 0)::int
  FROM (SELECT kind, facts, ended_at FROM jobs ORDER BY id DESC LIMIT 10000) j
 WHERE kind = 'observe' AND ended_at > clock_timestamp() - interval '1 day'""")  # noqa: S608 - built from constants
_CONNECTIONS = text("""
SELECT CASE WHEN starts_with(application_name, 'norn-') THEN application_name ELSE 'of others' END AS name,
       count(*) AS how_many,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most
  FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC, 1""")
_DEAD = text("""
SELECT count(*) AS how_many, max(id) AS newest
  FROM (SELECT id, app, state, ended_at FROM jobs ORDER BY id DESC LIMIT 10000) j
 WHERE state = 'dead' AND ended_at > clock_timestamp() - interval '1 day'
   AND (CAST(:reach AS text[]) IS NULL OR app = ANY(CAST(:reach AS text[])))""")
_MISSING = text("""
SELECT r.app, n.name AS secret FROM live_releases r
 CROSS JOIN LATERAL jsonb_array_elements_text(r.spec->'secrets') AS n(name)
 WHERE NOT EXISTS (SELECT 1 FROM secrets s WHERE s.app = r.app AND s.name = n.name AND s.retired_at IS NULL)
   AND (CAST(:reach AS text[]) IS NULL OR r.app = ANY(CAST(:reach AS text[])))
 ORDER BY 1, 2 LIMIT 20""")


def checks(tx: Tx, least: Least, accept_free: int, reach: Reach = None) -> Iterator[HealthCheck]:
    """Returns every check that is not part of health; checks of apps only cover the apps in `reach`."""
    workers = list(tx.execute(_WORKERS).mappings())
    yield from _silent(workers)
    lively = [row for row in workers if row["age"] <= WORKER_SILENCE]
    yield from _disks(lively, least, accept_free)
    yield _clocks(lively)
    yield _engines(lively)
    yield from runs_reach.checks(tx, reach)
    yield _connections(tx)
    yield from tunnel.checks(tx, within=reach)
    yield from _access(tx)
    yield _schema(tx)
    yield _looks(tx)
    yield _secrets(tx, reach)
    yield _dead(tx, reach)
    yield _retention(tx)
    yield _backup(tx, where=reach is None)


def _access(tx: Tx) -> Iterator[HealthCheck]:
    """Yields a check of the keys of Cloudflare Access; nothing on a server that does not use Access."""
    row = team_keys.newest(tx)
    if row is None:
        return
    if row["age"] is None or row["age"] > team_keys.OLDEST:
        said = row["error"] or "no worker has fetched them within a day"
        yield HealthCheck("access", FAIL, f"there are no valid keys of Cloudflare Access: {said}", _ACCESS)
    elif row["error"]:
        yield HealthCheck("access", WARN, f"{row['error']}; its keys are from {_ago(row['age'])} ago", _ACCESS)
    else:
        yield HealthCheck("access", OK, f"{row['how_many']} keys of {row['issuer']}, fetched {_ago(row['age'])} ago")


def _silent(workers: Iterable[Row]) -> Iterator[HealthCheck]:
    for row in workers:
        if row["age"] > WORKER_SILENCE:
            sentence = (
                f"{row['name']} on {row['host']} was last seen {_ago(row['age'])} ago, and did not report its end"
            )
            there = "is its machine up? norn logs --server there, or docker-compose logs; it leaves the list in an hour"
            yield HealthCheck("worker", WARN, sentence, there)


def _disks(workers: Iterable[Row], least: Least, accept_free: int) -> Iterator[HealthCheck]:
    seen: dict[tuple[str, str], Space] = {}
    for row in workers:
        seen |= {(row["host"], each["path"]): Space(**each) for each in row["spaces"]}
    for (host, _), space in sorted(seen.items()):
        sentence, name = f"{space.describe()} on {host}", f"disk:{space.use}"
        if space.free < accept_free:
            yield HealthCheck(
                name, FAIL, f"{sentence}: nothing new is accepted below {amount(accept_free)}", space.hint
            )
        elif least.lacks(space):
            yield HealthCheck(
                name,
                WARN,
                f"{sentence}: nothing is built below {amount(least.free)} or {least.percent:g} %",
                space.hint,
            )
        else:
            yield HealthCheck(name, OK, sentence)
    if seen and not any(space.use == ENGINE for space in seen.values()):
        yield HealthCheck(
            "disk:engine", WARN, "no worker can see the engine's disk", "watch it on the engine's machine: df -h"
        )


def _clocks(workers: list[Row]) -> HealthCheck:
    worst = max(workers, key=lambda row: abs(row["clock_offset"]), default=None)
    if worst is None or abs(worst["clock_offset"]) < CLOCK_WARN:
        return HealthCheck("clock", OK, "the workers' clocks agree with the database's")
    offset = worst["clock_offset"]
    sentence = (
        f"the clock of {worst['host']} is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the database's"
    )
    return HealthCheck(
        "clock", FAIL if abs(offset) > CLOCK_FAIL else WARN, sentence, "timedatectl set-ntp true, on both machines"
    )


def _engines(workers: list[Row]) -> HealthCheck:
    engines = {row["engine"] for row in workers if row["engine"]}
    return HealthCheck("engines", OK, f"{len(engines)} answering" if engines else "none is known yet")


def _connections(tx: Tx) -> HealthCheck:
    rows = tx.execute(_CONNECTIONS).mappings().all()
    used, most = sum(row["how_many"] for row in rows), rows[0]["most"]
    by_process = ", ".join(f"{row['how_many']} {row['name']}" for row in rows)
    few = used > most * CONNECTIONS_WARN
    hint = "lower NORN_DATABASE_CONNECTIONS, raise max_connections, or use a pooler: docs/workers.md"
    sentence = f"{used} of {most} connections to PostgreSQL are in use: {by_process}"
    return HealthCheck("connections", WARN if few else OK, sentence, hint if few else "")


def _schema(tx: Tx) -> HealthCheck:
    has = str(tx.scalar(text("SELECT version_num FROM alembic_version")))
    newest = newest_revision()
    if has == newest:
        return HealthCheck("schema", OK, f"the database has this version's schema ({has})")
    if has > newest:
        return HealthCheck(
            "schema",
            FAIL,
            f"the database has schema {has}, newer than this version's {newest}",
            "install the newer Norn everywhere",
        )
    hint = "norn down, then norn up; with processes of your own: python -m norn_tasks.embedded.first"
    return HealthCheck("schema", FAIL, f"the database has the old schema {has}; this version needs {newest}", hint)


def newest_revision() -> str:
    """Returns the newest schema revision that this version knows, from the names of its migration files."""
    files = (Path(__file__).parents[1] / "migrations" / "versions").glob("*.py")
    return max(found[0] for file in files if (found := re.match(r"\d{4}", file.name)))


def _looks(tx: Tx) -> HealthCheck:
    looks = tx.execute(_LOOKS).mappings().all()
    oldest = looks[0]
    if oldest["age"] is None or oldest["age"] > LOOK_SILENCE:
        since = "never looked at" if oldest["age"] is None else f"last looked at {_ago(oldest['age'])} ago"
        sentence = f"{oldest['what']} was {since}: norn status may show an old state"
        return HealthCheck("look", WARN, sentence, "norn jobs list --kind observe")
    orphans = int(tx.scalar(_REMOVED) or 0)
    which = ", ".join(look["what"] for look in looks)
    sentence = f"looked at {which} {oldest['age']:.0f} s ago; orphaned containers removed in the last day: {orphans}"
    return HealthCheck("look", OK, sentence)


def _secrets(tx: Tx, reach: Reach) -> HealthCheck:
    missing = tx.execute(_MISSING, _within(reach)).mappings().all()
    if not missing:
        return HealthCheck("secrets", OK, "every live app has the secrets that it names")
    first = missing[0]
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    sentence = f"{first['app']} is live and its secret {first['secret']} is not set{more}"
    return HealthCheck("secrets", FAIL, sentence, f"norn secrets set {first['app']} {first['secret']}")


def _dead(tx: Tx, reach: Reach) -> HealthCheck:
    row = tx.execute(_DEAD, _within(reach)).mappings().one()
    if not row["how_many"]:
        return HealthCheck("dead jobs", OK, "no job of the last day was given up because its workers died")
    return HealthCheck(
        "dead jobs",
        WARN,
        f"{row['how_many']} jobs of the last day ended because each worker that took them died",
        f"norn jobs logs {row['newest']}",
    )


def _retention(tx: Tx) -> HealthCheck:
    last = exclusive_tasks.seen(tx, exclusive_tasks.RETENTION)
    if last is None or last.age is None:
        return HealthCheck("retention", OK if last is None else WARN, "it has never been completed", log_of("beat"))
    removed = sum(last.did.get("removed", {}).values())
    sentence = (
        f"done {_ago(last.age)} ago: {removed} rows removed, the longest batch {last.did.get('longest_ms', 0)} ms"
    )
    return HealthCheck(
        "retention",
        WARN if last.age > RETENTION_SILENCE else OK,
        sentence,
        log_of("beat") if last.age > RETENTION_SILENCE else "",
    )


def _backup(tx: Tx, *, where: bool) -> HealthCheck:
    last = exclusive_tasks.seen(tx, exclusive_tasks.BACKUP)
    if last is None or last.age is None:
        return HealthCheck("backup", WARN, "no backup was ever made", _SAVE)
    sentence = f"made {_ago(last.age)} ago" + (f": {last.did.get('file', '')}" if where else "")
    return HealthCheck(
        "backup", WARN if last.age > BACKUP_OLD else OK, sentence, _SAVE if last.age > BACKUP_OLD else ""
    )


def _within(reach: Reach) -> dict[str, list[str] | None]:
    return {"reach": None if reach is None else sorted(reach)}


def _ago(seconds: float) -> str:
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} days"
