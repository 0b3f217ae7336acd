"""An administrator's `docker system prune --volumes` between runs removes no data of an app and not Norn's identity.

The command also removes the network of runs. Norn makes the network again, and the next call succeeds.

The test has an engine of its own, because the command removes everything that is not in use.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.apart import Apart, apart, end
from tests.e2e import apps
from tests.e2e.conftest import new_stack
from tests.e2e.stack import Stack
from tests.e2e.test_volumes import VOLUME
from tests.servers import Broker, Postgres, wait_until

COUNTS = 'FROM busybox:stable\nCMD ["sh", "-c", "echo x >> /data/calls; wc -l < /data/calls; cat"]\n'

pytestmark = pytest.mark.timeout(240)


def answers(address: str) -> bool:
    return subprocess.run(["docker", "-H", address, "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def own_engine(private_dir: Path, engine_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine that only this test uses, with busybox on it."""
    with apart(private_dir / "pruned") as machine:
        address = f"unix:///proc/{machine.pid}/root{machine.home}/engine.sock"
        daemon = _start(machine, tmp_path_factory.mktemp("logs") / "dockerd.log")
        try:
            wait_until(lambda: answers(address), 90, "the engine answers")
            busybox = subprocess.run(["docker", "save", "busybox:stable"], check=True, capture_output=True).stdout
            subprocess.run(["docker", "-H", address, "load"], input=busybox, check=True, capture_output=True)
            yield address
        finally:
            daemon.terminate()
            daemon.wait(30)
            end(daemon)


def _start(machine: Apart, log: Path) -> subprocess.Popen[bytes]:
    home = machine.home
    return machine.spawn(
        log, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, "dockerd", f"--data-root={home}/docker",
        f"--exec-root={home}/exec", f"--pidfile={home}/dockerd.pid", f"--host=unix://{home}/engine.sock",
        "--shutdown-timeout=5",
    )  # fmt: skip


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, own_engine: str) -> Iterator[Stack]:
    home = private_dir / "prune"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home, NORN_DOCKER_HOST=own_engine, DOCKER_HOST=own_engine)
    try:
        stack.start("api", "beat", "deploy", "invoke", "observe")
        yield stack
    finally:
        stack.stop()
        broker.stop()


def test_a_prune_of_everything_takes_no_data_and_no_identity_and_the_next_call_is_answered(
    stack: Stack, own_engine: str
) -> None:
    apps.deploy_function(stack, "counts", COUNTS, VOLUME)
    assert stack.norn("invoke", "counts", "--body", "before").stdout == b"1\nbefore"
    (before,) = stack.rows("SELECT engine FROM instance")
    pruned = ["docker", "-H", own_engine, "system", "prune", "--volumes", "--force"]
    subprocess.run(pruned, check=True, capture_output=True)
    client = docker.APIClient(own_engine)
    assert client.inspect_volume("norn-engine")["Labels"]["norn.io/engine"] == before["engine"]
    client.close()
    assert stack.norn("invoke", "counts", "--body", "after").stdout == b"2\nafter"
