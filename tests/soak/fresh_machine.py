"""A fresh Debian for tests: a root from debootstrap, in memory, that becomes `/` in namespaces of its own.

No other process sees its files, processes, mounts and network. They end with its first process, which the kernel kills
when the test's process dies. Its only connection to the outside is a relay, whose socket listens inside and is served
outside; so no interface, route or rule of this machine changes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.relay import Relay
from tests.servers import wait_until

SUITE = "bookworm"
BROUGHT = "make"
"""Packages that a user installs before using Norn; git is not among them, because the checkout is copied in."""

NEEDED = ("debootstrap", "unshare", "nsenter", "setpriv", "ip", "apt-get")
MEMORY = 8 << 30
"""The size of the machine's disk, which must be free in memory: the demo leaves 1.5 GiB of files, and Norn warns below
4 GiB.
"""

PORT = 3128
"""The port of the relay inside the machine."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES = "etc/of-the-machine.crt"
_RUNS = "run/fresh-machine"
_FIRST_PROCESS = f"""
set -e
mount -t tmpfs -o size={MEMORY},mode=755 fresh "$1"
debootstrap --variant=minbase --include={BROUGHT} {SUITE} "$1" "$2"
cd "$1"
exec unshare --net sh -ec '
    ip link set lo up
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount --rbind /sys/fs/cgroup sys/fs/cgroup
    mount --rbind /dev dev
    mount -t tmpfs tmpfs run
    pivot_root . mnt
    umount -l /mnt
    touch /{_RUNS}
    while :; do sleep 1; done'
"""
"""The first process: it makes the machine's disk, network and mounts, and then only waits and reaps processes until it
is killed. From then on it does not see the files of this machine.
"""

_LISTEN = f"""
import socket
inside = socket.create_server(("127.0.0.1", {PORT}))
socket.send_fds(socket.socket(fileno=0), [b"."], [inside.fileno()])
"""


class FreshMachine:
    """A running machine: `pid` is its first process, `root` the path to its files from outside."""

    def __init__(self, pid: int) -> None:
        self.pid, self.root = pid, Path(f"/proc/{pid}/root")

    def run(
        self, *argv: str, cwd: str = "/", seconds: float = 60, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root on the machine until it ends; stderr is part of the output."""
        given = [f"{name}={value}" for name, value in {"PATH": _PATH, "HOME": "/root", **variables}.items()]
        within = _entering(self.pid, "--mount", "--pid", "--ipc", "--uts", "--net")
        return subprocess.run(
            [*within, "env", "-i", *given, "env", f"--chdir={cwd}", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def has(self, *programs: str) -> list[str]:
        """Returns the given programs that are installed on the machine."""
        found = self.run("sh", "-c", 'for p; do command -v "$p" >/dev/null && echo "$p"; done; true', "sh", *programs)
        return found.stdout.split()

    @property
    def outside(self) -> Mapping[str, str]:
        """The environment of a command that downloads something: it names the relay, and has this machine's settings
        for pip and uv.
        """
        relay = f"http://127.0.0.1:{PORT}"
        kept = {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "UV_")) and not v.startswith("/")}
        certificates = {"SSL_CERT_FILE": f"/{_CERTIFICATES}", "PIP_CERT": f"/{_CERTIFICATES}"}
        return {**kept, **certificates, "http_proxy": relay, "https_proxy": relay, "no_proxy": "127.0.0.1,localhost"}


def missing() -> str:
    """Returns in a sentence what this machine lacks for a fresh machine; empty if nothing is missing."""
    if os.geteuid() != 0:
        return "a fresh machine is made by root only: run these tests as root"
    if lacking := [program for program in NEEDED if not shutil.which(program)]:
        return f"a fresh machine cannot be made without {', '.join(lacking)}: deploy/prepare test installs them"
    free = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    if free and int(free[1]) * 1024 < MEMORY:
        return f"a fresh machine is made in memory: of the {MEMORY >> 30} GiB it needs, {int(free[1]) >> 20} are free"
    return ""


@contextmanager
def fresh_machine(directory: Path) -> Iterator[FreshMachine]:
    """Runs a machine in an empty directory until the block ends, and then removes it completely."""
    directory.mkdir()
    with _running(directory) as machine, Relay(_listening(machine.pid)):
        _bring_settings(machine.root)
        try:
            yield machine
        finally:  # the control groups of containers remain when their engine is killed
            machine.run("sh", "-c", "docker ps -q | xargs -r docker kill")


@contextmanager
def _running(directory: Path) -> Iterator[FreshMachine]:
    leash = "setpriv", "--pdeathsig", "KILL", "--"
    apart = "unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--"
    argv = *leash, *apart, "sh", "-c", _FIRST_PROCESS, "sh", str(directory), _mirror()
    log = directory.with_suffix(".log")
    with log.open("wb") as said, subprocess.Popen(argv, stdout=said, stderr=said, env={"PATH": _PATH}) as process:
        try:
            wait_until(lambda: process.poll() is not None or _runs(process), 300, "the fresh machine runs")
            assert process.poll() is None, f"the fresh machine could not be made:\n{log.read_text()[-2000:]}"
            yield FreshMachine(_children(process)[0])
        finally:
            _end(process)


def _runs(process: subprocess.Popen[bytes]) -> bool:
    return any(Path(f"/proc/{pid}/root", _RUNS).exists() for pid in _children(process))


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kills the first process, for which `process` waits; with it the kernel kills all others."""
    for pid in _children(process) or [process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait(60)


def _mirror() -> str:
    """Returns the address from which apt on this machine downloads Debian."""
    wanted = "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian", "Component: main"
    told = subprocess.run(["apt-get", "indextargets", *wanted], capture_output=True, text=True, check=True).stdout
    assert told, "apt on this machine knows no mirror of Debian: apt-get update"
    return told.split()[0]


def _bring_settings(root: Path) -> None:
    """Copies this machine's settings for downloads: those of apt, pip and uv, and its trusted certificates."""
    (root / "etc/apt/apt.conf.d/99of-the-machine").write_text(_apt_settings())
    for settings in ("etc/pip.conf", "etc/uv/uv.toml"):
        if Path("/", settings).exists():
            (root / settings).parent.mkdir(exist_ok=True)
            shutil.copy(Path("/", settings), root / settings)
    if trusted := ssl.get_default_verify_paths().cafile:
        shutil.copy(trusted, root / _CERTIFICATES)


def _apt_settings() -> str:
    """Returns this machine's apt settings without the proxy, because the fresh machine uses the relay instead."""
    told = subprocess.run(
        ["apt-config", "dump", "--format", '%F "%v";%n', "Acquire"], capture_output=True, text=True, check=True
    )
    return "".join(line for line in told.stdout.splitlines(keepends=True) if "proxy" not in line.lower())


def _listening(pid: int) -> socket.socket:
    """Returns a socket that listens in the machine's network; this process accepts its connections."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run([*_entering(pid, "--net"), sys.executable, "-c", _LISTEN], stdin=theirs.fileno(), check=True)
        return socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])


def _entering(pid: int, *namespaces: str) -> list[str]:
    return ["nsenter", "--target", str(pid), *namespaces, "--"]
