"""After three hours without a scheduler, with 5,000 schedules that are due every minute, the first new minute is
decided on time.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from norn_tasks.store.database.session import Database
from tests import beats_kit
from tests.beats_kit import Crons, Processes
from tests.servers import Broker, wait_until

HOW_MANY = 5000
MINUTE = timedelta(minutes=1)


def test_the_first_live_minute_after_an_outage_is_on_time(database: Database, broker: Broker, tmp_path: Path) -> None:
    apps = [f"app-{n:04}" for n in range(HOW_MANY)]
    Crons(dict.fromkeys(apps, ("* * * * *", "UTC")), beats_kit.now(database) - timedelta(hours=3)).write(database)
    processes = Processes(tmp_path, database, broker.url)
    try:
        processes.beat()
        decided = "SELECT min(decided_until) AS until FROM cron_states"
        back = beats_kit.now(database)
        wait_until(
            lambda: beats_kit.rows(database, decided)[0].until > back - MINUTE, 120, "every schedule is decided again"
        )
        minute = beats_kit.now(database).replace(second=0, microsecond=0) + MINUTE
        wait_until(lambda: beats_kit.now(database) > minute + timedelta(seconds=20), 100, "the minute has passed")
    finally:
        processes.stop()
    beats_kit.settled(database)
    lags = sorted(
        (row.decided_at - minute).total_seconds()
        for row in beats_kit.rows(database, "SELECT * FROM cron_ticks WHERE scheduled_for = :minute", minute=minute)
    )
    told = beats_kit.rows(database, "SELECT verdict, count(*), sum(how_many) FROM cron_ticks GROUP BY 1 ORDER BY 1")
    p50, p99 = lags[len(lags) // 2], lags[len(lags) * 99 // 100]
    print(f"\n{[tuple(row) for row in told]}\nlag p50 {p50:.3f} s, p99 {p99:.3f} s")
    assert len(lags) == HOW_MANY
    assert p99 <= 2
