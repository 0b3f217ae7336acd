"""Makes 100 calls of 1 MB and 100 of 8 MB at the same time on a loaded machine: every response agrees with the recorded
history.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.calls_at_once import call_at_once, counted, deploy_cat, untrue
from tests.e2e.stack import Stack


@pytest.fixture
def loaded() -> Iterator[None]:
    """Runs two busy processes per core."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 2))]
    yield
    for process in burning:
        process.kill()
        process.wait()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("size", "timeout"), [(1_000_000, 120), (8_000_000, 300)])
@pytest.mark.usefixtures("loaded")
def test_each_caller_is_told_what_is_true(stack: Stack, size: int, timeout: int) -> None:
    name = f"cat-{size // 1_000_000}"
    deploy_cat(stack, name, timeout)
    told = call_at_once(stack, name, 100, size, timeout + 120)
    print(f"100 calls of {size // 1_000_000} MB: {counted(told)}")
    assert untrue(stack, name, told) == [], stack.log("api")[-5000:]
