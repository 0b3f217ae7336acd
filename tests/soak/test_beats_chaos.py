"""Runs two schedulers ("beats") for ten minutes and three for ten more, which are killed, frozen for a minute and
restarted at random.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.store.database.session import Database
from tests import beats_chaos
from tests.servers import Broker


@pytest.mark.parametrize("beats", [2, 3])
def test_beats_in_trouble_lose_and_double_nothing(
    beats: int, database: Database, broker: Broker, tmp_path: Path
) -> None:
    told = beats_chaos.run(database, broker.url, tmp_path, beats=beats, seconds=600, frozen=60, pause=20)
    print(f"\n{beats} beats: {dict(told)}")
    assert told["targets"] > 2000
