"""`norn run`: a command in the live release's image, its output while it is written, and the end that the engine
reports.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e import apps
from tests.e2e.stack import BIN, Stack
from tests.servers import allowed, wait_until

SERVES = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"
SHORT = {"NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3"}
ENVIRONMENT = {"NORN_WORKERS_CRON": "4", **SHORT}
WAITS_FOR_ITS_END = "trap exit TERM; sleep 600 & wait"


@pytest.fixture(scope="module", autouse=True)
def web(stack: Stack) -> None:
    """A live webserver; it has no schedule and no slots of its own."""
    apps.add_web(stack, "web", SERVES, "env:\n  GREETING: hello\n")
    stack.norn("forge", "web")
    stack.norn("deploy", "web")


def run(stack: Stack, *words: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    return stack.norn("run", "web", *options, "--", *words, check=False)


def started(stack: Stack, command: str, *options: str) -> subprocess.Popen[bytes]:
    """Starts `norn run` of a shell command, as a user who reads its output."""
    argv = [str(BIN / "norn"), "run", "web", *options, "--", "sh", "-c", command]
    return subprocess.Popen(argv, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def newest(stack: Stack) -> dict[str, object]:
    return dict(stack.json("runs", "list", "web")["items"][0])


def test_stdout_and_stderr_come_apart_and_as_they_are(stack: Stack) -> None:
    done = run(stack, "sh", "-c", "printf 'one\\ntwo'; echo careful >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\ntwo", b"careful\n")


def test_it_has_the_release_and_the_environment_of_the_app(stack: Stack) -> None:
    done = run(stack, "sh", "-c", "echo $GREETING $NORN_APP $NORN_RELEASE; cat /www/index.html")
    assert done.stdout == b"hello web 1\none\n"


def test_it_has_no_capabilities_and_writes_where_the_app_may(stack: Stack) -> None:
    done = run(stack, "sh", "-c", "touch /www/x && echo $PORT; grep CapEff /proc/self/status")
    assert (done.stderr, done.stdout) == (b"", b"8080\nCapEff:\t0000000000000000\n")


def test_a_command_that_fails_ends_with_6_and_says_its_code(stack: Stack) -> None:
    done = run(stack, "sh", "-c", "exit 3")
    assert (done.returncode, b"failed: it exited 3" in done.stderr) == (6, True)


def test_its_own_status_is_passed_on_when_asked_for(stack: Stack) -> None:
    assert run(stack, "sh", "-c", "exit 3", options=("--exit-code",)).returncode == 3


def test_a_command_that_is_not_in_the_image_says_so(stack: Stack) -> None:
    done = run(stack, "nosuchprogram")
    assert (done.returncode, b"its command was not found in the image (exit 127)" in done.stderr) == (6, True)


def test_it_ends_when_its_time_is_up(stack: Stack) -> None:
    done = run(stack, "sh", "-c", "trap 'exit 1' TERM; sleep 60 & wait", options=("--timeout", "1"))
    assert (done.returncode, newest(stack)["state"]) == (6, "timed_out")
    assert b"it did not end within 1 s\nhint: raise the limit with --timeout" in done.stderr


def test_what_it_writes_is_seen_while_it_runs_and_kept(stack: Stack) -> None:
    running = started(stack, "echo begun; sleep 6; echo done")
    assert running.stdout is not None
    first = running.stdout.readline()
    state = stack.rows("SELECT state FROM jobs WHERE kind = 'run' ORDER BY id DESC LIMIT 1")[0]["state"]
    rest, _ = running.communicate(timeout=60)
    assert (first, state, rest, newest(stack)["stdout"]) == (b"begun\n", "running", b"done\n", "begun\ndone\n")


def test_detached_it_goes_on_and_cancelled_it_is_gone(stack: Stack) -> None:
    number = int(stack.norn("run", "web", "--detach", "--", "sh", "-c", WAITS_FOR_ITS_END).stdout)
    wait_until(lambda: newest(stack)["state"] == "running", allowed(20), "it runs")
    stack.norn("jobs", "cancel", str(newest(stack)["job"]))
    assert (newest(stack)["id"], newest(stack)["state"]) == (number, "cancelled")


def test_a_killed_worker_costs_nothing(stack: Stack, tmp_path: Path) -> None:
    """Another worker takes the container over: the code runs once, and the reader gets every line."""
    running = started(stack, "for n in 1 2 3 4 5 6 7 8 9; do echo $n; sleep 1; done; exit 4", "--exit-code")
    assert running.stdout is not None
    first = running.stdout.readline()
    stack.kill_group("cron")
    stack.spawn("cron")
    begun = time.monotonic()
    rest, _ = running.communicate(timeout=allowed(60))
    assert (first + rest, running.returncode) == (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", 4)
    assert (stack.job(int(str(newest(stack)["job"])))["runs"], time.monotonic() - begun < allowed(40)) == (1, True)


def test_it_is_audited(stack: Stack) -> None:
    run(stack, "true")
    rows = stack.rows("SELECT actor, app, status FROM audit WHERE path = '/api/apps/web/run' ORDER BY id DESC LIMIT 1")
    assert rows == [{"actor": "bootstrap", "app": "web", "status": 202}]
