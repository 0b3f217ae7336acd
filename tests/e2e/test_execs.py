"""`norn exec`: a program inside a live replica, as if it ran on the user's machine; also replicas and clients that end
while it runs.
"""

from __future__ import annotations

import hashlib
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.e2e import apps
from tests.e2e.stack import BIN, Stack
from tests.servers import allowed, wait_until

SERVES = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"


@pytest.fixture(scope="module", autouse=True)
def web(stack: Stack) -> None:
    """A webserver of two replicas, and a function."""
    apps.add_web(stack, "web", SERVES, "replicas: 2\nenv:\n  GREETING: hello\n")
    stack.norn("forge", "web")
    stack.norn("deploy", "web")
    apps.deploy_function(stack, "thumb")


@pytest.fixture
def engine(engine_address: str) -> Iterator[docker.DockerClient]:
    """A client of the engine."""
    client = docker.DockerClient(base_url=engine_address)
    yield client
    client.close()


def replicas(engine: docker.DockerClient, stack: Stack) -> list[Container]:
    name = stack.rows("SELECT name FROM instance")[0]["name"]
    return list(engine.containers.list(filters={"label": [f"norn.io/instance={name}", "norn.io/app=web"]}))


def processes(engine: docker.DockerClient, stack: Stack, word: str) -> list[str]:
    """Returns the programs in the replicas whose command line contains this word."""
    return [" ".join(row) for each in replicas(engine, stack) for row in each.top()["Processes"] if word in row[-1]]


def execute(
    stack: Stack, *words: str, options: tuple[str, ...] = (), stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return stack.norn("exec", "web", *options, "--", *words, check=False, stdin=stdin)


def test_both_streams_and_the_exit_code_are_the_programs_own(stack: Stack) -> None:
    done = execute(stack, "sh", "-c", "printf out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out", b"err\n")


def test_it_is_inside_a_replica_beside_what_serves(stack: Stack) -> None:
    done = execute(stack, "sh", "-c", "echo $GREETING; wget -qO- http://127.0.0.1:8080/")
    assert done.stdout == b"hello\none\n"


def test_what_is_piped_in_comes_out_byte_by_byte(stack: Stack) -> None:
    """The input is larger than any buffer in between, and contains every byte value."""
    content = bytes(range(256)) * 4096
    done = execute(stack, "cat", stdin=content)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(content).digest()


def test_a_replica_is_chosen_by_its_number(stack: Stack, engine: docker.DockerClient) -> None:
    names = {execute(stack, "hostname", options=("--replica", n)).stdout.decode().strip() for n in ("1", "2")}
    assert names == {each.id[:12] for each in replicas(engine, stack)}


def test_a_replica_that_is_not_there_says_so(stack: Stack) -> None:
    done = execute(stack, "hostname", options=("--replica", "7"))
    assert (done.returncode, done.stderr) == (
        6, b"error: web has no replica 7 that serves now\nhint: norn status web --fresh\n",
    )  # fmt: skip


def test_a_program_that_is_not_in_the_image_says_so(stack: Stack) -> None:
    done = execute(stack, "nosuchprogram")
    assert (done.returncode in (126, 127), b"nosuchprogram" in done.stdout + done.stderr) == (True, True)


def test_what_has_no_replicas_is_told_what_there_is_instead(stack: Stack) -> None:
    done = stack.norn("exec", "thumb", "--", "ls", check=False)
    assert (done.returncode, b"norn run thumb -- COMMAND runs a command in a new container" in done.stderr) == (5, True)


def test_it_ends_when_its_reader_goes_away(stack: Stack, engine: docker.DockerClient) -> None:
    argv = [str(BIN / "norn"), "exec", "web", "--", "sh", "-c", "echo up; sleep 4242 & sleep 4242"]
    running = subprocess.Popen(argv, env=stack.environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert running.stdout is not None and running.stdout.readline() == b"up\n"
    there = processes(engine, stack, "4242")
    running.kill()
    running.wait()
    wait_until(lambda: not processes(engine, stack, "4242"), allowed(15), "nothing of it runs")
    assert there


NOTICED_SECONDS = 10.0


def test_readers_of_logs_that_are_killed_or_frozen_are_noticed_by_nobody_else(stack: Stack) -> None:
    command = "trap 'exit 0' TERM; while :; do date; sleep 0.05; done"
    stack.add_app("noisy", f'app: noisy\nrole: worker\ncommand: "{command}"\n', {"Dockerfile": "FROM busybox:stable\n"})
    stack.norn("forge", "noisy")
    stack.norn("deploy", "noisy")
    killed, frozen = reads(stack), reads(stack)
    try:
        killed.kill()
        frozen.send_signal(signal.SIGSTOP)
        wait_until(lambda: readers(stack) <= 1, allowed(NOTICED_SECONDS), "the killed one has left its place")
        for _ in range(4):
            took = [seconds(each) for each in (lambda: left(reads(stack)), lambda: execute(stack, "true", "-"))]
            assert max(took) < allowed(NOTICED_SECONDS), took
    finally:
        for each in (killed, frozen):
            left(each)
    wait_until(lambda: readers(stack) == 0, allowed(30), "nobody reads")


def reads(stack: Stack) -> subprocess.Popen[bytes]:
    """Starts `norn logs -f`, and returns when it has printed a line."""
    argv = [str(BIN / "norn"), "logs", "noisy", "-f", "--tail", "1"]
    reader = subprocess.Popen(argv, env=stack.environment, stdout=subprocess.PIPE)
    assert reader.stdout is not None and reader.stdout.readline()
    return reader


def left(reader: subprocess.Popen[bytes]) -> None:
    """Ends a reader."""
    reader.kill()
    reader.wait()


def seconds(do: Callable[[], object]) -> float:
    """Returns how many seconds a call takes."""
    began = time.monotonic()
    do()
    return time.monotonic() - began


def readers(stack: Stack) -> int:
    """Returns the number of running jobs that read logs for a client."""
    return len(stack.rows("SELECT 1 FROM jobs WHERE kind = 'read-logs' AND state IN ('queued', 'running')"))


def test_who_asked_is_audited_and_nobody_else_may_listen(stack: Stack) -> None:
    execute(stack, "true")
    job = stack.rows("SELECT id, actor FROM jobs WHERE kind = 'exec' ORDER BY id DESC LIMIT 1")[0]
    other = stack.json("token", "create", "other", "--scope", "admin")
    listens = subprocess.run(
        ["curl", "-s", "-H", f"Authorization: Bearer {other['token']}", f"{stack.url}/api/execs/{job['id']}/output"],
        capture_output=True, check=True,
    )  # fmt: skip
    rows = stack.rows("SELECT actor, status FROM audit WHERE path = '/api/apps/web/exec' ORDER BY id DESC LIMIT 1")
    assert (rows, job["actor"]) == ([{"actor": "bootstrap", "status": 202}], "bootstrap")
    assert b"was requested by somebody else" in listens.stdout


class Sitting:
    """Simulates a user at a terminal of 30 rows and 100 columns."""

    def __init__(self, stack: Stack, *argv: str) -> None:
        self._seen = b""
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.execve(str(BIN / "norn"), ["norn", *argv], {**stack.environment, "TERM": "vt100"})
        os.set_blocking(self._screen, False)

    def sees(self, what: str) -> bool:
        """Returns True after a text appeared on the screen."""
        try:
            while data := os.read(self._screen, 65536):
                self._seen += data
        except OSError:
            pass
        return what.encode() in self._seen

    def types(self, text: str) -> None:
        """Types a text."""
        os.write(self._screen, text.encode())

    def end(self) -> int:
        """Waits for the end; returns the exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_terminal_is_a_terminal_there_too(stack: Stack, engine: docker.DockerClient) -> None:
    """A shell detects a terminal. Ctrl-C reaches the program that the shell runs and not norn. The exit status of the
    shell is returned.
    """
    sitting = Sitting(stack, "exec", "web", "--", "sh")
    wait_until(lambda: sitting.sees("# ") or sitting.sees("$ "), allowed(20), "the shell asks")
    sitting.types("echo $TERM on $(stty -F /dev/tty size | wc -w)\r")
    wait_until(lambda: sitting.sees("vt100 on 2"), allowed(10), "it knows its terminal")
    sitting.types("sleep 4343\r")
    wait_until(lambda: processes(engine, stack, "sleep 4343"), allowed(10), "sleep runs")
    sitting.types("\x03")
    wait_until(lambda: not processes(engine, stack, "sleep 4343"), allowed(10), "Ctrl-C ended it")
    sitting.types("echo still $((40+2))\r")
    wait_until(lambda: sitting.sees("still 42"), allowed(10), "and nothing else")
    sitting.types("exit 9\r")
    assert sitting.end() == 9


def test_a_run_has_a_terminal_in_a_container_of_its_own(stack: Stack) -> None:
    sitting = Sitting(stack, "run", "web", "-t", "--", "sh")
    wait_until(lambda: sitting.sees("# ") or sitting.sees("$ "), allowed(20), "the shell asks")
    sitting.types("echo $TERM $PORT $GREETING $(stty size)\r")
    wait_until(lambda: sitting.sees("vt100 8080 hello "), allowed(10), "it has the app's environment")
    sitting.types("exit 9\r")
    assert sitting.end() == 9
    (run,) = stack.json("runs", "list", "web")["items"]
    assert (run["state"], run["exit_code"]) == ("failed", 9)


def test_a_run_reads_what_is_piped_in(stack: Stack) -> None:
    done = stack.norn("run", "web", "-i", "--", "sh", "-c", "cat; exit 3", check=False, stdin=b"one\0two")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"one\0two", b"")


def test_a_replica_that_somebody_removes_comes_back(stack: Stack, engine: docker.DockerClient) -> None:
    gone = replicas(engine, stack)[0]
    gone.remove(force=True)
    repairs = ("--app", "web", "jobs", "list", "--kind", "repair")
    wait_until(lambda: stack.json(*repairs)["items"], allowed(20), "it is missed")
    wait_until(lambda: stack.json(*repairs, "--state", "succeeded")["items"], allowed(40), "it is back")
    assert (gone.id in {each.id for each in replicas(engine, stack)}, len(replicas(engine, stack))) == (False, 2)
    assert stack.json("status", "web", "--fresh")["ready"] == 2
    (job,) = stack.json(*repairs)["items"]
    assert (job["state"], job["actor"], job["args"]["missing"]) == ("succeeded", "norn", 1)


def test_an_app_whose_every_replica_is_removed_comes_back(stack: Stack, engine: docker.DockerClient) -> None:
    for each in replicas(engine, stack):
        each.remove(force=True)
    wait_until(lambda: len(replicas(engine, stack)) == 2, allowed(60), "both are back")
    wait_until(lambda: stack.json("status", "web", "--fresh")["state"] == "running", allowed(20), "and serve")
