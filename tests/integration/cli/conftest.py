"""The server and the two ways to run `norn` against it: in this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from norn_cli.main import cli
from tests.integration.cli.server import Norn

ROOT = Path(__file__).parents[3]
NORN = [sys.executable, "-P", "-c", "from norn_cli.main import main; main()"]


@pytest.fixture
def norn() -> Iterator[Norn]:
    """A server to which a test adds responses."""
    server = Norn()
    yield server
    server.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory, so that no contexts and tokens of the developer are read."""
    return tmp_path


@pytest.fixture
def environ(norn: Norn, home: Path) -> dict[str, str]:
    """The environment of a user who points norn at the server."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "NORN_DATA_DIR": str(home / "data"),
        "NORN_URL": norn.url,
        "NORN_TOKEN": "norn_secret",
        "NORN_APP": "",
    }


@pytest.fixture
def run(environ: dict[str, str]) -> Callable[..., Result]:
    """Runs norn in this process."""

    def run(*args: str, env: dict[str, str | None] | None = None, **more: Any) -> Result:
        result = CliRunner().invoke(cli, list(args), env={**environ, **(env or {})}, **more)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def process_environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of norn as a process: this checkout, and no variable of the developer."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environ}


@pytest.fixture
def process(process_environ: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs norn as a process of its own, with stdout and stderr as pipes."""

    def run(*args: str, env: dict[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*NORN, *args], capture_output=True, env={**process_environ, **(env or {})}, timeout=30, **more
        )

    return run
