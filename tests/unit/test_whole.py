"""Which failures of a whole run are run once more alone."""

from __future__ import annotations

import pytest

from tests.whole import may_run_alone


@pytest.mark.parametrize(
    ("failed", "again"),
    [
        ([], False),
        (["tests/e2e/test_compose.py::test_a", "tests/e2e/test_compose.py::test_b"], True),
        ([f"tests/integration/test_{n}.py::test_a" for n in range(8)], True),
        ([f"tests/integration/test_{n}.py::test_a" for n in range(9)], False),
        (["tests/e2e/test_compose.py::test_a", "tests/unit/test_whole.py::test_b"], False),
        (["tests/architecture/test_sizes.py::test_a"], False),
    ],
)
def test_a_few_failures_of_tests_with_processes_are_run_alone(failed: list[str], again: bool) -> None:
    assert may_run_alone(failed) is again
