"""Simulates another machine: a process with a mount namespace and a network namespace of its own.

Its only network interface is a loopback interface, on which chosen ports lead to the same ports of this machine. It
sees all files of this machine except the tests' own directory. All programs in it end with its first process, which the
kernel kills when the test's process dies. No interface, route, rule or mount of this machine is changed.
"""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.relay import pass_on
from tests.servers import wait_until

_FIRST_PROCESS = """
set -e
ip link set lo up
mount -t tmpfs -o mode=755 apart "$1"
touch "$1/ready"
exec sleep infinity
"""

_LISTEN = """
import socket, sys
inside = socket.create_server(("127.0.0.1", int(sys.argv[1])))
socket.send_fds(socket.socket(fileno=0), [b"."], [inside.fileno()])
"""


class Apart:
    """The simulated machine. `pid` is its first process. At the path `home` its programs see an empty directory of
    their own.
    """

    def __init__(self, pid: int, home: Path) -> None:
        self.pid, self.home = pid, home
        self._forwards = ExitStack()

    def within(self, *argv: str) -> list[str]:
        """Returns the command line that runs a program on the simulated machine."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--wd=/", "--", *argv]

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a program on the simulated machine until the program ends."""
        return subprocess.run(self.within(*argv), capture_output=True, text=True, check=check, timeout=60)

    def spawn(self, log: Path, environment: Mapping[str, str], *argv: str) -> subprocess.Popen[bytes]:
        """Starts a program on the simulated machine; its log is a file of this machine."""
        with log.open("ab") as said:
            return subprocess.Popen(
                self.within(*argv), env=dict(environment), stdout=said, stderr=said, start_new_session=True
            )

    def sees(self, path: Path) -> bool:
        """Returns True if a path exists on the simulated machine."""
        return self.run("test", "-e", str(path), check=False).returncode == 0

    def forward(self, port: int) -> None:
        """Connects a port of the simulated machine's loopback interface to the same port of this machine."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            listen = self.within(sys.executable, "-c", _LISTEN, str(port))
            subprocess.run(listen, stdin=theirs.fileno(), check=True, timeout=30)
            listening = socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])
        self._forwards.enter_context(_Forward(listening, port))

    def close(self) -> None:
        """Ends the connections between ports."""
        self._forwards.close()


@contextmanager
def apart(home: Path) -> Iterator[Apart]:
    """Runs a simulated machine, and yields it; ends it with the block. At the path `home` the machine has an empty
    directory of its own, which hides this machine's files there.
    """
    home.mkdir(parents=True, exist_ok=True)
    leash = "setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--net", "--"
    with subprocess.Popen([*leash, "sh", "-c", _FIRST_PROCESS, "sh", str(home)]) as first:
        machine = Apart(first.pid, home)
        try:
            wait_until(lambda: Path(f"/proc/{first.pid}/root{home}/ready").exists(), 30, "the other machine runs")
            yield machine
        finally:
            machine.close()
            first.kill()
            first.wait(10)


def end(*processes: subprocess.Popen[bytes]) -> None:
    """Kills processes that were started on the simulated machine, with their process groups."""
    for process in processes:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


class _Forward:
    """Serves a listening socket until the block ends: each connection is passed on to a port of this machine."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as there:
                    there.settimeout(None)
                    pass_on(self.request, there)

        self._server = _Server(("", 0), Connection, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> _Forward:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
