"""Cron from the CLI to the container: manual runs, pause, another schedule, and a worker that is killed during its
runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import docker
import pytest

from tests.e2e import apps
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(240)

ENDS = ("succeeded", "failed", "error", "dead", "cancelled", "expired")
LINES = 50
"""Seconds that the long run takes: longer than a lease and one round of the sweeper, so that another worker takes it
over while it runs.
"""

LONG = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; echo err $i >&2; sleep 1; done"
SHORT = "echo out; echo err >&2; sleep 8; echo the end; exit 3"


def _deploy(stack: Stack, name: str, command: str) -> None:
    apps.add_cron(stack, name, command)
    stack.norn("forge", name)
    stack.norn("deploy", name)


def _execution(stack: Stack, job: int) -> dict[str, Any]:
    return stack.rows("SELECT * FROM cron_executions WHERE job_id = %s", job)[0]


def _containers(stack: Stack, job: int) -> list[str]:
    """Returns the states of a run's containers on the engine."""
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    instance, execution = stack.rows("SELECT name FROM instance")[0]["name"], stack.job(job)["execution"]
    mine = [f"norn.io/instance={instance}", f"norn.io/owner=execution:{execution}"]
    try:
        return [str(each["State"]) for each in client.api.containers(all=True, filters={"label": mine})]
    finally:
        client.close()


# A worker that is killed during its runs


@dataclass(frozen=True)
class Killed:
    """Two jobs whose worker was killed: the container of one kept running for long, the other's ended before a worker
    took over.
    """

    long: int
    short: int
    at: datetime


@pytest.fixture(scope="module")
def killed(stack: Stack) -> Killed:
    """Two runs whose worker was killed by SIGKILL; both have ended since."""
    _deploy(stack, "long", LONG)
    _deploy(stack, "short", SHORT)
    long, short = (int(stack.json("cron", "run", name, "--detach")["job"]) for name in ("long", "short"))
    wait_until(lambda: [_containers(stack, job) for job in (long, short)] == [["running"]] * 2, 30, "both have begun")
    stack.kill("cron")
    at = stack.rows("SELECT clock_timestamp() AS now")[0]["now"]
    wait_until(lambda: _containers(stack, short) == ["exited"], 30, "the short run's container has ended")
    stack.spawn("cron", "cron")
    for job in (short, long):
        stack.norn("jobs", "watch", str(job), check=False)
    return Killed(long, short, at)


def test_a_run_whose_worker_died_is_adopted_and_not_run_again(stack: Stack, killed: Killed) -> None:
    row = stack.job(killed.long)
    assert (row["state"], row["runs"], row["claims"], row["error"]) == ("succeeded", 1, 2, None)


def test_runs_whose_worker_died_end_within_75_seconds(stack: Stack, killed: Killed) -> None:
    ended = [stack.job(job)["ended_at"] for job in (killed.long, killed.short)]
    assert max(ended) - killed.at < timedelta(seconds=allowed(75))


def test_a_run_is_adopted_while_its_container_goes_on(stack: Stack, killed: Killed) -> None:
    told = stack.rows("SELECT at, data FROM events WHERE job_id = %s AND kind = 'job.requeued'", killed.long)
    run = _execution(stack, killed.long)
    assert [one["data"]["adopt"] for one in told] == [True]
    assert told[0]["at"] < run["begun_at"] + timedelta(milliseconds=run["duration_ms"])


def test_an_adopted_run_keeps_its_whole_output(stack: Stack, killed: Killed) -> None:
    run = _execution(stack, killed.long)
    counted = range(1, LINES + 1)
    assert run["stdout"].splitlines() == [f"line {n}" for n in counted]
    assert run["stderr"].splitlines() == [f"err {n}" for n in counted]


def test_the_record_of_an_adopted_run_is_true(stack: Stack, killed: Killed) -> None:
    run = _execution(stack, killed.long)
    assert (run["state"], run["exit_code"], run["attempt"], run["trigger"]) == ("succeeded", 0, 1, "manual")
    assert LINES * 1000 <= run["duration_ms"] < (LINES + 15) * 1000


def test_a_run_that_ended_while_no_worker_was_there_keeps_its_exit_code(stack: Stack, killed: Killed) -> None:
    row, run = stack.job(killed.short), _execution(stack, killed.short)
    assert (row["state"], row["runs"], row["error"]["code"]) == ("failed", 1, "exit")
    assert (run["state"], run["exit_code"], run["sentence"]) == ("failed", 3, "it exited 3: err")


def test_a_run_that_ended_while_no_worker_was_there_keeps_its_output(stack: Stack, killed: Killed) -> None:
    run = _execution(stack, killed.short)
    assert (run["stdout"], run["stderr"]) == ("out\nthe end\n", "err\n")


def test_a_run_that_ended_while_no_worker_was_there_took_as_long_as_it_ran(stack: Stack, killed: Killed) -> None:
    """The run sleeps for eight seconds; the engine records its start slightly later (2 ms were seen)."""
    assert 7_900 <= _execution(stack, killed.short)["duration_ms"] < 20_000


def test_adopted_runs_leave_no_container_and_no_slot_behind(stack: Stack, killed: Killed) -> None:
    jobs = [killed.long, killed.short]
    assert [_containers(stack, job) for job in jobs] == [[], []]
    assert stack.rows("SELECT app FROM slots WHERE job_id = ANY(%s)", jobs) == []


# Runs by hand


@pytest.fixture(scope="module")
def tick(stack: Stack) -> str:
    """A deployed cron app that is due once a year, and prints its due time."""
    _deploy(stack, "tick", "echo due $NORN_SCHEDULED_AT; echo beside >&2")
    return "tick"


def _state(stack: Stack, name: str) -> dict[str, Any]:
    return stack.rows("SELECT * FROM cron_states WHERE app = %s", name)[0]


def test_a_run_by_hand_prints_both_streams(stack: Stack, tick: str) -> None:
    printed = stack.norn("cron", "run", tick).stdout.decode()
    assert "exit code  0" in printed
    assert "stdout:\n  due 20" in printed
    assert "stderr:\n  beside\n" in printed


def test_a_run_by_hand_does_not_move_the_schedule(stack: Stack, tick: str) -> None:
    before = _state(stack, tick)
    stack.norn("cron", "run", tick)
    assert _state(stack, tick) == before


def test_a_run_by_hand_is_in_the_history(stack: Stack, tick: str) -> None:
    run = stack.json("cron", "run", tick)
    newest = stack.json("cron", "history", tick)["items"][0]
    assert (newest["trigger"], newest["verdict"], newest["execution"]) == ("manual", None, run["id"])


def test_a_run_that_fails_is_exit_status_six(stack: Stack) -> None:
    _deploy(stack, "bad", "echo broken >&2; exit 7")
    done = stack.norn("cron", "run", "bad", check=False)
    assert (done.returncode, b"it exited 7" in done.stderr) == (6, True)


# Pause, resume, another schedule


def _ticks(stack: Stack, name: str, verdict: str = "%") -> list[dict[str, Any]]:
    query = "SELECT * FROM cron_ticks WHERE app = %s AND verdict LIKE %s ORDER BY scheduled_for"
    return stack.rows(query, name, verdict)


def test_a_pause_accounts_for_what_it_skips_and_resume_fires_again(stack: Stack) -> None:
    _deploy(stack, "pausing", "true")
    assert "tax season" in stack.norn("cron", "pause", "pausing", "--reason", "tax season").stdout.decode()
    stack.norn("cron", "set-schedule", "pausing", "@every 2s")
    wait_until(lambda: [one for one in _ticks(stack, "pausing") if one["how_many"] >= 3], 30, "three were skipped")
    assert stack.norn("cron", "run", "pausing").returncode == 0
    stack.norn("cron", "resume", "pausing")
    wait_until(lambda: _ticks(stack, "pausing", "fired"), 30, "the schedule fires again")
    stack.norn("cron", "set-schedule", "pausing", "--clear")
    skipped, *later = _ticks(stack, "pausing")
    assert (skipped["verdict"], skipped["open"]) == ("skipped_paused", False)
    assert skipped["reason"].endswith(": tax season")
    # the schedule is due more often than a worker can run it
    assert {one["verdict"] for one in later} <= {"fired", "skipped_overlap", "missed"}


def test_a_new_schedule_fires_at_the_next_minute(stack: Stack) -> None:
    _deploy(stack, "every-minute", "true")
    stack.norn("cron", "set-schedule", "every-minute", "* * * * *")
    set_at = _state(stack, "every-minute")["override_at"]
    minute = set_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
    wait_until(lambda: _ticks(stack, "every-minute"), 75, "the schedule fires")
    stack.norn("cron", "set-schedule", "every-minute", "--clear")
    tick, *_ = _ticks(stack, "every-minute")
    assert (tick["scheduled_for"], tick["verdict"]) == (minute, "fired")
    assert tick["decided_at"] - minute < timedelta(seconds=5)
    row = stack.await_state(tick["job_id"], ENDS, 30)
    run = _execution(stack, row["id"])
    assert (run["state"], run["trigger"], run["scheduled_for"]) == ("succeeded", "schedule", minute)
