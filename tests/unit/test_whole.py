"""Which failed tests of a complete run are run again alone."""

from __future__ import annotations

import pytest

from tests.whole import MOST_FILES, run_alone

COMPOSE = "tests/e2e/test_compose.py"
MOST = [f"tests/integration/test_{n:02}.py" for n in range(MOST_FILES)]


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ([], []),
        ([f"{COMPOSE}::test_a", f"{COMPOSE}::test_b"], [COMPOSE]),
        ([f"{file}::test_a" for file in MOST], MOST),
        ([f"{file}::test_a" for file in (*MOST, COMPOSE)], []),
        ([f"{COMPOSE}::test_a", "tests/unit/test_whole.py::test_b"], []),
        (["tests/architecture/test_sizes.py::test_a"], []),
    ],
)
def test_the_few_files_with_processes_in_which_a_test_failed_are_run_alone(failed: list[str], again: list[str]) -> None:
    assert run_alone(failed) == again
