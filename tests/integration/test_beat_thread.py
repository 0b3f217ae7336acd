"""Beat (the scheduler) as a thread: a round that fails ends neither beat nor its process."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from norn_tasks.scheduler.beat_thread import BeatThread
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from tests import factories
from tests.servers import wait_until


def _rename(database: Database, table: str, new: str) -> None:
    with database.transaction() as tx:
        tx.execute(text(f"ALTER TABLE {table} RENAME TO {new}"))


def _beats(database: Database) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(text("SELECT count(*) FROM beats")) or 0)


def test_a_beat_goes_on_after_a_turn_that_failed(database: Database, tmp_path: Path) -> None:
    _rename(database, "beats", "no_beats")
    settings = Settings(database_url=database.url, broker_url=factories.NOWHERE, data_dir=tmp_path)
    beat = BeatThread(settings, database)
    beat.start()
    wait_until(lambda: beat.failures > 0, 20, "a turn has failed")
    _rename(database, "no_beats", "beats")
    wait_until(lambda: _beats(database) == 1, 20, "beat reports itself")
    beat.stop()
