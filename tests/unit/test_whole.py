"""Which failed tests of a complete run are run again alone."""

from __future__ import annotations

import pytest

from tests.whole import run_alone

COMPOSE = "tests/e2e/test_compose.py"
EIGHT = [f"tests/integration/test_{n}.py" for n in range(8)]


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ([], []),
        ([f"{COMPOSE}::test_a", f"{COMPOSE}::test_b"], [COMPOSE]),
        ([f"{file}::test_a" for file in EIGHT], EIGHT),
        ([f"{file}::test_a" for file in (*EIGHT, COMPOSE)], []),
        ([f"{COMPOSE}::test_a", "tests/unit/test_whole.py::test_b"], []),
        (["tests/architecture/test_sizes.py::test_a"], []),
    ],
)
def test_the_few_files_with_processes_in_which_a_test_failed_are_run_alone(failed: list[str], again: list[str]) -> None:
    assert run_alone(failed) == again
