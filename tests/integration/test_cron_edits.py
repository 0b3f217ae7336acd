"""Schedules are changed shortly before and after a full minute, half of them within one second of it, while a scheduler
runs: no occurrence is lost or doubled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from norn_tasks.store.cron import effective, schedules
from norn_tasks.store.database.session import Database, Tx
from tests import beats_kit
from tests.beats_kit import Crons, Processes
from tests.servers import Broker, Postgres, allowed, wait_until

LIVE = timedelta(seconds=1)
EACH = 40
"""Apps per kind of change: 280 changes in all. The fixture `recorded` adds 120 changes of the kinds in `CLOSE`."""


@dataclass(frozen=True)
class Change:
    """A change of an app, between two readings of the database's clock."""

    kind: str
    before: datetime
    after: datetime


@dataclass(frozen=True)
class Recorded:
    """The minute around which all changes were made; and for each app its change, and its rows of `cron_ticks` for that
    minute.
    """

    minute: datetime
    changes: dict[str, Change]
    ticks: dict[str, list[Any]]

    def of(self, kind: str) -> list[tuple[Change, list[Any]]]:
        """Returns the changes of a kind, each with the rows of its app for the minute."""
        return [(change, self.ticks[app]) for app, change in self.changes.items() if change.kind == kind]


def _add(tx: Tx, app: str) -> None:
    """Starts a schedule: the app's first release goes live."""
    schedules.awaken(tx, app)


ACTS: dict[str, Callable[[Tx, str], None]] = {
    "edit": lambda tx, app: schedules.override(tx, app, "*/1 * * * *", "Europe/Berlin", "ann"),
    "edit-again": lambda tx, app: schedules.override(tx, app, "0-59 * * * *", None, "ann"),
    "edit-away": lambda tx, app: schedules.override(tx, app, "0 0 29 2 *", None, "ann"),
    "pause": lambda tx, app: schedules.pause(tx, app, "ann", "moving"),
    "resume": lambda tx, app: schedules.resume(tx, app, "ann"),
    "delete": lambda tx, app: schedules.remove(tx, app, actor="ann"),
    "add": _add,
}
CLOSE = ("edit", "edit-again")
"""Changes after which the minute must neither be lost nor doubled, because both schedules contain it."""


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    postgres.copy_template("edits")
    database = Database(postgres.url("edits"), pool=20, overflow=20)
    yield database
    database.dispose()
    postgres.execute("DROP DATABASE edits WITH (FORCE)")


@pytest.fixture(scope="module")
def recorded(database: Database, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """All changes are made around one minute, half of them within one second of it, while a scheduler runs."""
    kinds = {f"{kind}-{n:03}": kind for n in range(EACH) for kind in ACTS}
    kinds |= {f"{kind}-more-{n:03}": kind for n in range(60) for kind in CLOSE}
    Crons(dict.fromkeys(kinds, ("* * * * *", "UTC")), beats_kit.now(database)).write(database)
    beats_kit.execute(database, "UPDATE cron_states SET next_due = NULL WHERE app LIKE 'add-%'")
    with database.transaction() as tx:
        for app in (app for app, kind in kinds.items() if kind == "resume"):
            schedules.pause(tx, app, "ann", "moving")
    processes = Processes(Path(tmp_path_factory.mktemp("edits")), database, broker.url)
    try:
        processes.beat()
        wait_until(processes.decides, 60, "the beat decides")
        yield _changed(database, kinds)
    finally:
        processes.stop()


def _when(place: float) -> float:
    """Maps a number from 0 to 1 to a time between 8 seconds before and 8 seconds after the minute; the times are denser
    near the minute.
    """
    return 8 * (2 * place - 1) ** 3


def _changed(database: Database, kinds: dict[str, str]) -> Recorded:
    now = beats_kit.now(database)
    minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1 if now.second < 50 else 2)
    order = sorted(kinds, key=lambda app: hash((app[-3:], app)))
    steps = {app: minute + timedelta(seconds=_when(n / len(order))) for n, app in enumerate(order)}
    offset = time.time() - beats_kit.now(database).timestamp()

    def change(app: str) -> Change:
        time.sleep(max(0.0, steps[app].timestamp() + offset - time.time()))
        before = beats_kit.now(database)
        with database.transaction() as tx:
            ACTS[kinds[app]](tx, app)
            after = effective.clock(tx)
        return Change(kinds[app], before, after)

    with ThreadPoolExecutor(16) as pool:
        changes = dict(zip(order, pool.map(change, order), strict=True))
    wait_until(lambda: beats_kit.now(database) > minute + timedelta(seconds=3), 10, "the minute is decided")
    query = """SELECT * FROM cron_ticks WHERE app = :app AND scheduled_for <= :minute
                  AND coalesce(until, scheduled_for) >= :minute"""
    return Recorded(minute, changes, {app: beats_kit.rows(database, query, app=app, minute=minute) for app in order})


def _is(recorded: Recorded, ticks: list[Any], *verdicts: str) -> bool:
    """Returns True if the minute has exactly one row, with one of these verdicts, decided within a second."""
    in_time = all(tick.decided_at - recorded.minute <= allowed(1) * LIVE for tick in ticks if tick.until is None)
    return len(ticks) == 1 and ticks[0].verdict in verdicts and in_time


def test_there_are_over_two_hundred_changes_before_and_after_the_minute(recorded: Recorded) -> None:
    early = [change for change in recorded.changes.values() if change.after < recorded.minute]
    late = [change for change in recorded.changes.values() if change.before > recorded.minute]
    assert len(recorded.changes) > 200
    assert len(early) > 60 and len(late) > 60


@pytest.mark.parametrize("kind", CLOSE)
def test_an_edit_neither_loses_nor_doubles_the_minute(recorded: Recorded, kind: str) -> None:
    found = recorded.of(kind)
    assert len(found) == EACH + 60
    assert [ticks for _, ticks in found if not _is(recorded, ticks, "fired")] == []


def test_an_edit_away_from_the_minute_fires_it_only_when_it_came_after(recorded: Recorded) -> None:
    for change, ticks in recorded.of("edit-away"):
        if change.after < recorded.minute:
            assert ticks == []
        elif change.before > recorded.minute:
            assert _is(recorded, ticks, "fired")


def test_a_pause_counts_the_minute_as_skipped_only_when_it_came_before(recorded: Recorded) -> None:
    for change, ticks in recorded.of("pause"):
        if change.after < recorded.minute:
            assert _is(recorded, ticks, "skipped_paused")
        elif change.before > recorded.minute:
            assert _is(recorded, ticks, "fired")


def test_a_resume_fires_the_minute_only_when_it_came_before(recorded: Recorded) -> None:
    for change, ticks in recorded.of("resume"):
        if change.after < recorded.minute:
            assert _is(recorded, ticks, "fired")
        elif change.before > recorded.minute:
            assert _is(recorded, ticks, "skipped_paused")


def test_a_removal_leaves_the_minute_to_fire_only_when_it_came_after(recorded: Recorded) -> None:
    """The run ends with the removal if no worker has begun it."""
    for change, ticks in recorded.of("delete"):
        if change.after < recorded.minute:
            assert ticks == []
        elif change.before > recorded.minute:
            assert _is(recorded, ticks, "fired", "failed_to_start")


def test_an_added_schedule_fires_the_minute_only_when_it_came_before(recorded: Recorded) -> None:
    for change, ticks in recorded.of("add"):
        if change.after < recorded.minute:
            assert _is(recorded, ticks, "fired")
        elif change.before > recorded.minute:
            assert ticks == []


def test_a_schedule_that_is_due_a_second_after_it_was_set_fires_in_time(recorded: Recorded, database: Database) -> None:
    """The scheduler may be asleep when the schedule is set: the database wakes it."""
    apps = [app for app, change in recorded.changes.items() if change.kind == "edit"][:EACH]
    for app in apps:
        with database.transaction() as tx:
            schedules.override(tx, app, "@every 1s", None, "ann")
        time.sleep(0.05)
    # Times come from the event, because the row of an occurrence is written again when its waiting run moves to the
    # next occurrence.
    query = """SELECT e.at - s.anchor - interval '1 s' AS lag FROM cron_states s JOIN events e
                   ON e.app = s.app AND e.kind = 'tick.decided' AND s.app = ANY(:apps)
                  AND CAST(e.data ->> 'scheduled_for' AS timestamptz) = s.anchor + interval '1 s'"""
    wait_until(lambda: len(beats_kit.rows(database, query, apps=apps)) == EACH, allowed(5), "each has fired")
    lags = sorted(row.lag for row in beats_kit.rows(database, query, apps=apps))
    print(f"\nfrom the due moment to the decision: median {lags[EACH // 2]}, worst {lags[-1]}")
    assert lags[-1] <= allowed(1) * LIVE
