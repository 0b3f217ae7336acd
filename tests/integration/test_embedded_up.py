"""A complete `norn up` by an ordinary user: all processes start, are restarted when they are killed, and end with `norn
down`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from norn_tasks.embedded.leftovers import leftovers
from norn_tasks.embedded.paths import DataPaths, data_paths
from norn_tasks.embedded.stores import postgres
from norn_tasks.embedded.supervision.processes import processes
from norn_tasks.embedded.supervision.supervisor import Control
from norn_tasks.router_socket import running_router
from norn_tasks.settings import load
from tests.integration.embedded_kit import AS_SOMEBODY, norn
from tests.servers import free_port, wait_until

PROCESSES = ["postgres", "broker", "router", *(program.name for program in processes(load({}), Path("/")))]


@dataclass(frozen=True)
class Up:
    """A running Norn: the paths of its data, its URL, and its output."""

    where: DataPaths
    variables: dict[str, str]
    url: str
    said: str

    def pid(self, name: str) -> int:
        """Returns the pid of a running process; 0 if it does not run."""
        if name == "router":
            found = running_router(postgres.url(self.where))
            return found.pid if found else 0
        process = next(process for process in Control(self.where.control).processes() if process.name == name)
        return process.pid if process.up else 0

    def health(self) -> dict[str, str]:
        """Returns the status of each check; empty while the API does not respond."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/health", timeout=5) as answer:
                return {check["name"]: check["status"] for check in json.load(answer)["checks"]}
        except OSError:
            return {}


@pytest.fixture(scope="module")
def up(private_dir: Path) -> Iterator[Up]:
    first, port = free_port(), free_port()
    variables = {
        "NORN_DATA_DIR": str(private_dir / "up"),
        "NORN_PORT": str(port),
        "NORN_ROUTER_PORT_FIRST": str(first),
        "NORN_ROUTER_PORT_LAST": str(first),
        "NORN_TOKEN": "norn_of-the-user",
    }
    started = norn("up", prefix=AS_SOMEBODY, **variables)
    assert started.returncode == 0, started.stdout + started.stderr
    yield Up(data_paths(private_dir / "up"), variables, f"http://127.0.0.1:{port}", started.stdout)
    norn("down", prefix=AS_SOMEBODY, **variables)


def test_it_says_where_norn_is_and_what_to_type(up: Up) -> None:
    assert f"Norn is up at {up.url} after " in up.said
    assert "norn down" in up.said
    assert f". {up.where.data}/env" in up.said


def test_a_shell_that_reads_the_file_finds_it(up: Up) -> None:
    script = f". {up.where.data}/env; echo $NORN_URL $NORN_DATA_DIR; command -v norn"
    told = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    assert told.stdout.splitlines()[0] == f"{up.url} {up.where.data}"
    assert told.stdout.splitlines()[1].endswith("/norn")


def test_everything_is_well(up: Up) -> None:
    wait_until(lambda: set(up.health().values()) == {"ok"}, 30, "every check is ok")
    assert {"database", "broker", "beat", "router", "engine", "worker:deploy"} <= set(up.health())


def test_the_first_token_is_ours_alone_and_opens_the_api(up: Up) -> None:
    assert up.where.token.stat().st_mode & 0o777 == 0o600
    token = up.where.token.read_text().strip()
    asked = urllib.request.Request(f"{up.url}/api/tokens", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        assert answer.status == 200


def test_nobody_else_can_read_anything_in_the_data_directory(up: Up) -> None:
    assert [path for path in (up.where.data, *up.where.data.rglob("*")) if path.lstat().st_mode & 0o077] == []


def test_the_users_own_token_is_in_no_process(up: Up) -> None:
    environs = [Path(f"/proc/{pid}/environ").read_bytes() for pid in leftovers(up.where)]
    assert environs
    assert [environ for environ in environs if b"norn_of-the-user" in environ] == []


@pytest.mark.parametrize("process", PROCESSES)
def test_a_killed_process_comes_back(up: Up, process: str) -> None:
    wait_until(lambda: up.pid(process), 30, f"{process} runs")
    killed = up.pid(process)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: up.pid(process) not in (0, killed), 30, f"{process} runs again")
    wait_until(lambda: up.health().get("database") == "ok", 30, "the API answers, with its database")


def test_a_second_start_is_refused(up: Up) -> None:
    refused = norn("up", prefix=AS_SOMEBODY, **up.variables)
    assert (refused.returncode, "Norn is already running here" in refused.stderr) == (5, True)


def test_down_ends_every_process_and_a_second_down_is_fine(up: Up) -> None:
    first = norn("down", prefix=AS_SOMEBODY, **up.variables)
    assert (first.returncode, "Norn has stopped." in first.stdout) == (0, True)
    assert list(leftovers(up.where)) == []
    assert up.pid("router") == 0  # the router stays only while an app has an address
    assert norn("down", prefix=AS_SOMEBODY, **up.variables).returncode == 0
