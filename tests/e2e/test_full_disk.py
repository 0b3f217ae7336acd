"""The data directory's disk is filled completely: new work is refused with a clear error, no accepted work is lost, and
Norn recovers without help.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.machine import Machine
from tests.servers import wait_until

CALLS = 12
FULL_SECONDS = float(os.environ.get("NORN_FULL_SECONDS", "8"))
"""Seconds for which the disk stays full; a soak test may take minutes."""


@pytest.fixture
def machine(private_dir: Path, engine_address: str) -> Iterator[Machine]:
    """A machine whose data directory is on a disk of 600 MiB. When the disk is full, Norn deletes its reserve (a file
    of 64 MiB); new work is still refused, because it requires 100 MiB here.
    """
    image, mount = private_dir / "disk.img", private_dir / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(600 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    mount.chmod(0o755)
    machine = Machine(private_dir / "brimful")
    room = {"NORN_DISK_BUILD_FREE": "1MiB", "NORN_DISK_BUILD_PERCENT": "0", "NORN_DISK_ACCEPT_FREE": "100MiB"}
    machine.environment |= room | {"NORN_DATA_DIR": str(mount / "norn")}
    try:
        yield machine
    finally:
        machine.clean_up(engine_address)
        subprocess.run(["umount", "-l", mount], check=False)
        image.unlink()


def fill(directory: Path) -> Path:
    """Fills the disk until no byte can be written; returns the file that fills it."""
    filler = directory / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return filler


@pytest.mark.timeout(400)
def test_a_full_disk_refuses_and_loses_nothing(machine: Machine) -> None:
    data = Path(machine.environment["NORN_DATA_DIR"])
    machine.add(
        machine.name, f"app: {machine.name}\nrole: function\nfunction: {{concurrency: 2}}\n",
        Dockerfile=f'FROM busybox:stable\nRUN : {machine.home}\nCMD ["sh", "-c", "sleep 2; cat"]\n',
    )  # fmt: skip
    machine.norn("up")
    machine.norn("forge", machine.name)
    machine.norn("deploy", machine.name)
    wait_until((data / "reserve").exists, 30, "the reserve exists")
    api = httpx.Client(
        base_url=machine.environment["NORN_URL"], timeout=30,
        headers={"Authorization": f"Bearer {(data / 'token').read_text().strip()}"},
    )  # fmt: skip
    asked = {"headers": {"Prefer": "respond-async"}, "content": b"here"}
    accepted = [api.post(f"/fn/{machine.name}", **asked).json()["execution"] for _ in range(CALLS)]

    filler = fill(data.parent)
    began = time.monotonic()
    refused = api.post(f"/fn/{machine.name}", **asked)
    told = refused.json()
    assert (refused.status_code, told["code"]) == (507, "disk_full"), told
    assert "the disk is full: " in told["detail"] and "du -xh" in told["hint"]
    print(f"refused in {time.monotonic() - began:.2f} s: {told['detail']} ({told['hint']})")
    wait_until(lambda: not (data / "reserve").exists(), 30, "the reserve is given to the database")
    fill(data.parent)  # the released reserve too: now the database itself cannot write
    time.sleep(FULL_SECONDS)
    filler.unlink()

    began = time.monotonic()
    wait_until(lambda: settled(api, accepted), 180, "every accepted call has ended")
    ends = [api.get(f"/api/invocations/{execution}").json() for execution in accepted]
    assert [(end["state"], end["stdout"]) for end in ends] == [("succeeded", "here")] * CALLS
    wait_until(lambda: api.post(f"/fn/{machine.name}", **asked).status_code == 202, 60, "new calls are accepted")
    print(f"{CALLS} calls accepted before, {CALLS} succeeded; well again {time.monotonic() - began:.1f} s after")


def settled(api: httpx.Client, executions: list[int]) -> bool:
    try:
        return all(api.get(f"/api/invocations/{execution}").json().get("finished_at") for execution in executions)
    except (httpx.HTTPError, ValueError):
        return False
