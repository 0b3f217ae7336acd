"""Kills the engine with SIGKILL in the middle of a cron run that writes to a volume, 25 times with the engine's setting
`live-restore` and 25 times without it: the code of each run runs once, and its true exit code is recorded.

The environment variable ROUNDS replaces the number 25.
"""

from __future__ import annotations

import os

import pytest

from tests.e2e.engine_kills import Kills
from tests.e2e.test_engine_kills import kills

__all__ = ["kills"]
ROUNDS = int(os.environ.get("ROUNDS", "25"))


@pytest.mark.timeout(1500)
def test_the_runs_happen_once_and_their_true_ends_are_recorded(kills: Kills) -> None:
    kills.prepare()
    while sum(kills.codes.values()) < ROUNDS and kills.unbegun < ROUNDS:
        kills.play()
    print(f"\n{ROUNDS} runs whose engine was killed: recorded exit codes {dict(kills.codes)}; wrong: {kills.wrong}")
    print(f"{kills.unbegun} more were killed before their code was started: the record says so, and nothing has run")
    assert (kills.wrong, sum(kills.codes.values())) == ([], ROUNDS)
