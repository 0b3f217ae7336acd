"""A scheduler on a machine whose clock is wrong by an hour still decides correctly, because it uses the clock of the
database.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from norn_tasks.store.database.session import Database
from tests import beats_kit
from tests.beats_kit import Crons, Processes
from tests.servers import Broker, allowed, wait_until

SCHEDULES = {"often": ("@every 3s", "UTC"), "minutely": ("* * * * *", "Asia/Kolkata"), "hourly": ("0 * * * *", "UTC")}


def _library() -> str:
    (found,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return str(found)


@pytest.mark.parametrize("wrong", ["+1h", "-1h"])
def test_a_beat_with_a_wrong_clock_decides_by_the_databases(
    wrong: str, database: Database, broker: Broker, tmp_path: Path
) -> None:
    crons = Crons(SCHEDULES, beats_kit.now(database))
    crons.write(database)
    processes = Processes(tmp_path, database, broker.url)
    try:
        processes.beat(LD_PRELOAD=_library(), FAKETIME=wrong, FAKETIME_DONT_FAKE_MONOTONIC="1")
        often = "SELECT 1 FROM cron_ticks WHERE app = 'often'"
        wait_until(lambda: len(beats_kit.rows(database, often)) >= 3, allowed(40), "three are decided")
    finally:
        processes.stop()
    beats_kit.settled(database)
    now = beats_kit.now(database)
    for app in SCHEDULES:
        ticks = beats_kit.rows(database, "SELECT * FROM cron_ticks WHERE app = :app ORDER BY scheduled_for", app=app)
        (state,) = beats_kit.rows(database, "SELECT * FROM cron_states WHERE app = :app", app=app)
        assert beats_kit.differences(crons.expected(app, state.decided_until), ticks) == []
        assert state.decided_until <= now < state.next_due + timedelta(seconds=10)
