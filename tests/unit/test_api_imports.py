"""The API process runs where neither an engine's nor a cluster's client is installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BLOCK = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import norn_api.app, norn_tasks.store.database.bounded, norn_tasks.store.access.tokens
"""


@pytest.mark.parametrize("absent", [("docker",), ("kubernetes",), ("aiohttp", "h11"), ("httpx", "rich")])
def test_api_needs_no(absent: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", _BLOCK.format(absent=absent)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
