"""A fuller look than health's: what is not right with disks, clocks, workers, schema, secrets, backups and retention.

All of it is told by rows that the parts of Norn write about themselves; every check says what helps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import text

from norn_tasks.domain.disk import ENGINE, Least, Space, amount
from norn_tasks.domain.processes import log_of
from norn_tasks.store import chores
from norn_tasks.store.health import WORKER_SILENCE, Check, CheckStatus
from norn_tasks.store.reading import Reach
from norn_tasks.store.session import Row, Tx

CLOCK_WARN, CLOCK_FAIL = 2.0, 30.0
LOOK_SILENCE, RETENTION_SILENCE, BACKUP_OLD = 120.0, 2.5 * 3600, 7 * 86400.0
OK, WARN, FAIL = CheckStatus.OK, CheckStatus.WARN, CheckStatus.FAIL
_HOUR, _DAY = 3600.0, 86400.0
_SAVE = "norn backup FILE on its machine; with docker-compose NORN_DATABASE_URL=… before it: docs/backup.md"

_WORKERS = text("""
SELECT name, host, spaces, clock_offset, engine, extract(epoch FROM clock_timestamp() - seen_at)::float8 AS age
  FROM workers ORDER BY name""")
_LOOK = text("""
SELECT extract(epoch FROM clock_timestamp() - ended_at)::float8 AS age, facts FROM jobs
 WHERE kind = 'observe' AND state = 'succeeded' ORDER BY id DESC LIMIT 1""")
_DEAD = text("""
SELECT count(*) AS how_many, max(id) AS newest
  FROM (SELECT id, app, state, ended_at FROM jobs ORDER BY id DESC LIMIT 10000) j
 WHERE state = 'dead' AND ended_at > clock_timestamp() - interval '1 day'
   AND (CAST(:reach AS text[]) IS NULL OR app = ANY(CAST(:reach AS text[])))""")
_MISSING = text("""
SELECT a.name AS app, n.name AS secret FROM apps a JOIN deployments d ON d.id = a.live_deployment
  JOIN releases r ON r.app = d.app AND r.n = d.release
 CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(r.spec->'secrets', '[]')) AS n(name)
 WHERE NOT EXISTS (SELECT 1 FROM secrets s WHERE s.app = a.name AND s.name = n.name AND s.retired_at IS NULL)
   AND (CAST(:reach AS text[]) IS NULL OR a.name = ANY(CAST(:reach AS text[])))
 ORDER BY 1, 2 LIMIT 20""")


def checks(tx: Tx, least: Least, accept_free: int, reach: Reach = None) -> Iterator[Check]:
    """Answers every check that health does not make; of apps, only what is about those within `reach`."""
    workers = list(tx.execute(_WORKERS).mappings())
    yield from _silent(workers)
    lively = [row for row in workers if row["age"] <= WORKER_SILENCE]
    yield from _disks(lively, least, accept_free)
    yield _clocks(lively)
    yield _engines(lively)
    yield _schema(tx)
    yield _look(tx)
    yield _secrets(tx, reach)
    yield _dead(tx, reach)
    yield _retention(tx)
    yield _backup(tx, where=reach is None)


def _silent(workers: Iterable[Row]) -> Iterator[Check]:
    for row in workers:
        if row["age"] > WORKER_SILENCE:
            sentence = (
                f"{row['name']} on {row['host']} was last seen {_ago(row['age'])} ago, and did not take its leave"
            )
            there = "is its machine up? norn logs --server there, or docker-compose logs; it is forgotten in an hour"
            yield Check("worker", WARN, sentence, there)


def _disks(workers: Iterable[Row], least: Least, accept_free: int) -> Iterator[Check]:
    seen: dict[tuple[str, str], Space] = {}
    for row in workers:
        seen |= {(row["host"], each["path"]): Space(**each) for each in row["spaces"]}
    for (host, _), space in sorted(seen.items()):
        told, name = f"{space.told()} on {host}", f"disk:{space.use}"
        if space.free < accept_free:
            yield Check(name, FAIL, f"{told}: nothing new is accepted below {amount(accept_free)}", space.hint)
        elif least.lacks(space):
            yield Check(
                name, WARN, f"{told}: nothing is built below {amount(least.free)} or {least.percent:g} %", space.hint
            )
        else:
            yield Check(name, OK, told)
    if seen and not any(space.use == ENGINE for space in seen.values()):
        yield Check(
            "disk:engine", WARN, "no worker can see the engine's disk", "watch it on the engine's machine: df -h"
        )


def _clocks(workers: list[Row]) -> Check:
    worst = max(workers, key=lambda row: abs(row["clock_offset"]), default=None)
    if worst is None or abs(worst["clock_offset"]) < CLOCK_WARN:
        return Check("clock", OK, "the workers' clocks agree with the database's")
    offset = worst["clock_offset"]
    sentence = (
        f"the clock of {worst['host']} is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the database's"
    )
    return Check(
        "clock", FAIL if abs(offset) > CLOCK_FAIL else WARN, sentence, "timedatectl set-ntp true, on both machines"
    )


def _engines(workers: list[Row]) -> Check:
    engines = {row["engine"] for row in workers if row["engine"]}
    return Check("engines", OK, f"{len(engines)} answering" if engines else "none is known yet")


def _schema(tx: Tx) -> Check:
    has = str(tx.scalar(text("SELECT version_num FROM alembic_version")))
    newest = newest_revision()
    if has == newest:
        return Check("schema", OK, f"the database has this version's schema ({has})")
    if has > newest:
        return Check(
            "schema",
            FAIL,
            f"the database has schema {has}, newer than this version's {newest}",
            "install the newer Norn everywhere",
        )
    hint = "norn down, then norn up; with processes of your own: python -m norn_tasks.embedded.first"
    return Check("schema", FAIL, f"the database has the old schema {has}; this version needs {newest}", hint)


def newest_revision() -> str:
    """Answers the newest schema that this version knows, by its migrations' files."""
    files = (Path(__file__).parent / "migrations" / "versions").glob("*.py")
    return max(found[0] for file in files if (found := re.match(r"\d{4}", file.name)))


def _look(tx: Tx) -> Check:
    row = tx.execute(_LOOK).mappings().one_or_none()
    if row is None or row["age"] > LOOK_SILENCE:
        since = "nobody has looked" if row is None else f"the last look was {_ago(row['age'])} ago"
        return Check(
            "look", WARN, f"{since} at engine and cluster: what status says may be old", "norn jobs list --kind observe"
        )
    orphans = len(row["facts"].get("orphans", ()))
    return Check(
        "look", OK, f"engine and cluster were looked at {row['age']:.0f} s ago, {orphans} orphaned containers removed"
    )


def _secrets(tx: Tx, reach: Reach) -> Check:
    missing = tx.execute(_MISSING, _within(reach)).mappings().all()
    if not missing:
        return Check("secrets", OK, "every live app has the secrets that it names")
    first = missing[0]
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    sentence = f"{first['app']} is live and its secret {first['secret']} is not set{more}"
    return Check("secrets", FAIL, sentence, f"norn secrets set {first['app']} {first['secret']}")


def _dead(tx: Tx, reach: Reach) -> Check:
    row = tx.execute(_DEAD, _within(reach)).mappings().one()
    if not row["how_many"]:
        return Check("dead jobs", OK, "no job ended its workers in the last day")
    return Check(
        "dead jobs",
        WARN,
        f"{row['how_many']} jobs ended all workers that took them in the last day",
        f"norn jobs logs {row['newest']}",
    )


def _retention(tx: Tx) -> Check:
    last = chores.seen(tx, chores.RETENTION)
    if last is None or last.age is None:
        return Check("retention", OK if last is None else WARN, "it was not done to its end yet", log_of("beat"))
    removed = sum(last.did.get("removed", {}).values())
    told = f"done {_ago(last.age)} ago: {removed} rows removed, the longest batch {last.did.get('longest_ms', 0)} ms"
    return Check(
        "retention",
        WARN if last.age > RETENTION_SILENCE else OK,
        told,
        log_of("beat") if last.age > RETENTION_SILENCE else "",
    )


def _backup(tx: Tx, *, where: bool) -> Check:
    last = chores.seen(tx, chores.BACKUP)
    if last is None or last.age is None:
        return Check("backup", WARN, "no backup was ever made", _SAVE)
    told = f"made {_ago(last.age)} ago" + (f": {last.did.get('file', '')}" if where else "")
    return Check("backup", WARN if last.age > BACKUP_OLD else OK, told, _SAVE if last.age > BACKUP_OLD else "")


def _within(reach: Reach) -> dict[str, list[str] | None]:
    return {"reach": None if reach is None else sorted(reach)}


def _ago(seconds: float) -> str:
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} days"
