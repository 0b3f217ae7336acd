"""Programs that a worker starts: their output is limited and sent immediately, and they never outlive their worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from norn_tasks.adapters.processes.lines import Lines
from norn_tasks.adapters.processes.process import Command, Completed, base_environment, run
from norn_tasks.domain.errors import StepFailed, Stopped, TimedOut
from norn_tasks.ports import Say
from tests.fakes.stop import FakeStop

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, *, say: Say = print, stop: FakeStop | None = None, timeout: float = 30) -> Completed:
    argv = [sys.executable, "-c", code]
    return run(Command("the program", argv, base_environment(), timeout, say, stop or FakeStop()))


def until(fact: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.02)
    return fact()


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_its_exit_code_is_answered() -> None:
    assert python("raise SystemExit(7)").code == 7


def test_an_end_by_a_signal_is_128_and_its_number() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").code == 137


def test_both_streams_are_told_line_by_line() -> None:
    said: list[str] = []
    python("import sys; print('one\\ntwo'); sys.stdout.flush(); print('three', file=sys.stderr)", say=said.append)
    assert sorted(said) == ["one", "three", "two"]


def test_a_line_is_told_while_the_program_still_runs() -> None:
    stop = FakeStop()
    with pytest.raises(Stopped):
        python(
            "import time; print('hello', flush=True); time.sleep(60)", say=lambda _: stop.set("cancelled"), stop=stop
        )


def test_what_is_heard_is_not_said() -> None:
    heard: list[str] = []
    said: list[str] = []
    command = Command("it", ["echo", "hi"], base_environment(), 10, said.append, FakeStop(), hear=heard.append)
    run(command)
    assert (heard, said) == (["hi"], [])


def test_credentials_in_addresses_are_not_told() -> None:
    said: list[str] = []
    python("print('fatal: https://joe:s3cret@git.example/x.git')", say=said.append)
    assert said == ["fatal: https://***@git.example/x.git"]


def test_it_sees_no_environment_but_the_given_one() -> None:
    said: list[str] = []
    run(Command("env", ["env"], {"PATH": os.environ["PATH"], "LC_ALL": "C"}, 10, said.append, FakeStop()))
    assert sorted(line.split("=")[0] for line in said) == ["LC_ALL", "PATH"]


def test_it_has_no_stdin() -> None:
    assert python("import sys; raise SystemExit(len(sys.stdin.read()))").code == 0


def test_a_stop_ends_it_within_a_second() -> None:
    stop = FakeStop()
    stop.set("cancelled")
    begun = time.monotonic()
    with pytest.raises(Stopped):
        python("import time; time.sleep(60)", stop=stop)
    assert time.monotonic() - begun < 1


def test_past_its_limit_it_is_ended_and_the_sentence_names_the_limit() -> None:
    with pytest.raises(TimedOut, match=r"the program took longer than its limit of 0\.3 s"):
        python("import time; time.sleep(60)", timeout=0.3)


def test_a_program_that_is_not_installed_is_a_sentence() -> None:
    with pytest.raises(StepFailed, match="nosuchprogram is not installed on this worker"):
        run(Command("it", ["nosuchprogram"], base_environment(), 1, print, FakeStop()))


def test_what_it_leaves_behind_ends_with_it() -> None:
    said: list[str] = []
    python(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)",
        say=said.append,
    )
    assert until(lambda: not alive(int(said[0])))


def test_when_the_worker_is_killed_the_whole_group_is_gone() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    assert worker.stdout is not None
    pids = [int(worker.stdout.readline()) for _ in range(2)]
    assert all(alive(pid) for pid in pids)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert until(lambda: not any(alive(pid) for pid in pids))


WORKER = """
from norn_tasks.adapters.processes.process import Command, base_environment, run
from tests.fakes.stop import FakeStop
import sys
program = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
print(os.getpid(), child.pid, sep='\\\\n', flush=True)
time.sleep(60)
'''
say = lambda line: print(line, flush=True)
run(Command('it', [sys.executable, '-c', program], base_environment(), 60, say, FakeStop()))
"""


def test_a_line_without_an_end_is_cut() -> None:
    lines = Lines()
    pieces = [*lines.feed(b"a" * 20000), *lines.end()]
    assert [len(piece) for piece in pieces] == [8192, 8192, 3616]


def test_bytes_that_no_store_takes_are_replaced() -> None:
    assert list(Lines().feed(b"a\0\xff\n")) == ["a\ufffd\ufffd"]
