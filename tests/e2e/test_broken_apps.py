"""Apps that are broken on purpose get an error that names the true cause; tests/soak tries many more of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.broken import BROKEN, BrokenApp, attempt
from tests.e2e.stack import Stack

ENVIRONMENT = {"NORN_ROLLOUT_TIMEOUT": "3", "NORN_WORKERS_DEPLOY": "4", "NORN_STAY_UP": "4"}
QUICK = tuple(app for app in BROKEN if app.quick)


@pytest.fixture(scope="module")
def attempts(stack: Stack) -> Iterator[dict[str, Future[tuple[int, str]]]]:
    """The attempts to deploy all of them, four at a time."""
    with ThreadPoolExecutor(4) as pool:
        yield {app.name: pool.submit(attempt, stack, app) for app in QUICK}


@pytest.mark.parametrize("app", QUICK, ids=str)
def test_the_cause_is_named(attempts: dict[str, Future[tuple[int, str]]], app: BrokenApp) -> None:
    status, printed = attempts[app.name].result()
    assert status != 0
    assert [words for words in app.says if words not in printed] == [], printed
