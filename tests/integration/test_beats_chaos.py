"""Two schedulers ("beats") are killed, frozen and restarted at random: each occurrence has exactly one row, and each
run belongs to exactly one occurrence.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.store.database.session import Database
from tests import beats_chaos
from tests.servers import Broker


@pytest.mark.timeout(300)
def test_two_beats_in_trouble_lose_and_double_nothing(database: Database, broker: Broker, tmp_path: Path) -> None:
    told = beats_chaos.run(database, broker.url, tmp_path, beats=2, seconds=40, frozen=8)
    print(f"\n{dict(told)}")
    assert told["targets"] > 100
    assert told["killed"] > 0 and told["frozen"] > 0
