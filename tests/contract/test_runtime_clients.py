"""Runs with a client who types and reads: a terminal or pipes, the window size, Ctrl-C, and the end when the client
leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Run, RunClient, Typed
from tests.contract.conftest import IMAGE
from tests.fakes.stop import FakeWatch
from tests.fakes.terminal import FakeTerminal
from tests.servers import allowed, wait_until


class Owner:
    """Hooks that record nothing."""

    def created(self, container: str) -> None:
        """Notes nothing."""

    def begun(self) -> None:
        """Notes nothing."""


class Typing(FakeTerminal):
    """Simulates a user who types the words after an arrow when the words before the arrow were printed."""

    def __init__(self, *steps: tuple[str, Typed]) -> None:
        super().__init__(())
        self._steps = list(steps)

    def typed(self, seconds: float) -> Typed | None:
        """Returns the next input if its turn has come."""
        if self._steps and self._steps[0][0].encode() in self.read["stdout"]:
            return self._steps.pop(0)[1]
        return super().typed(seconds)


def run(app: str, terminal: FakeTerminal, argv: Iterable[str], *, tty: bool = True) -> Run:
    client = RunClient(terminal, tty, (30, 100))
    return Run(
        name=f"norn-x-{app}", app=app, owner=f"execution:{app}", image=IMAGE, argv=tuple(argv), env={"TERM": "vt100"},
        timeout=30, memory=32 * 2**20, cpus=0.5, grace=0.3, writable=True, client=client, logged=False,
    )  # fmt: skip


def played(engine: EngineClient, wanted: Run, terminal: FakeTerminal) -> ContainerExit:
    watch = replace(FakeWatch().watch, stop=terminal.stop)
    return DockerRuntime(DockerEngine(engine)).run(wanted, Owner(), watch)


def test_a_terminal_has_its_size_its_type_and_ctrl_c(clean_engine: EngineClient, app: str) -> None:
    terminal = Typing(
        ("# ", Typed(b"stty size; echo on $TERM\n")), ("on vt100", Typed(size=(40, 120))), ("", Typed(b"stty size\n")),
        # The terminal echoes the input. The quotes distinguish the echo from the output of the program.
        ("40 120", Typed(b"sh -c \"trap 'echo cau''ght; exit' INT; echo rea''dy; while :; do sleep 0.1; done\"\n")),
        ("ready", Typed(b"\x03")), ("caught", Typed(b"exit 9\n")),
    )  # fmt: skip
    ended = played(clean_engine, run(app, terminal, ("sh",)), terminal)
    shown = terminal.read["stdout"].decode()
    assert (ended.exit_code, "30 100" in shown, "40 120" in shown) == (9, True, True)
    assert b"on vt100" in ended.stdout.head, "the record has what was shown"


def test_a_program_that_is_alone_in_its_container_hears_ctrl_c(clean_engine: EngineClient, app: str) -> None:
    terminal = Typing(("up", Typed(b"\x03")))
    ended = played(clean_engine, run(app, terminal, ("sh", "-c", "echo up; exec sleep 99")), terminal)
    assert ended.exit_code == 130


def test_pipes_carry_every_byte_and_keep_the_streams_apart(clean_engine: EngineClient, app: str) -> None:
    content = bytes(range(256)) * 1024
    terminal = FakeTerminal(
        [*(Typed(content[at : at + 32768]) for at in range(0, len(content), 32768)), Typed(eof=True)]
    )
    argv = ("sh", "-c", "cat; echo careful >&2; exit 3")
    ended = played(clean_engine, run(app, terminal, argv, tty=False), terminal)
    assert (ended.exit_code, terminal.read["stdout"] == content, terminal.read["stderr"]) == (3, True, b"careful\n")


def test_its_container_is_gone_soon_after_the_client_has_left(clean_engine: EngineClient, app: str) -> None:
    terminal, ended = FakeTerminal(()), threading.Event()

    def play() -> None:
        with pytest.raises(Stopped):
            played(clean_engine, run(app, terminal, ("sh", "-c", "echo up; sleep 99")), terminal)
        ended.set()

    threading.Thread(target=play, daemon=True).start()
    wait_until(lambda: b"up" in terminal.read["stdout"], allowed(10), "it runs")
    terminal.stop.set("cancelled")
    wait_until(ended.is_set, allowed(10), "it was stopped")
    found = clean_engine.ask(lambda client: client.containers(all=True, filters={"name": f"norn-x-{app}"}))
    assert found == []
