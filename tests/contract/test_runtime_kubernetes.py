"""Runs as Jobs on a real Kubernetes cluster: their output, their ends, and owners that die or stop.

A few runs go at the same time, because each waits for its pod.
"""

from __future__ import annotations

import json
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.objects.run import run_job
from norn_tasks.adapters.kubernetes.site import ServerVersion, Site
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.adapters.kubernetes_jobs.runtime import KubernetesRuntime
from norn_tasks.domain.errors import InvalidRequest, LeaseLost, Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Run, RunClient, Typed
from tests.contract.cluster_kit import INSTANCE
from tests.contract.conftest import IMAGE
from tests.contract.test_runtime import Owner, left_running, sh
from tests.fakes.stop import FakeWatch
from tests.fakes.terminal import FakeTerminal
from tests.servers import wait_until

WAITS = sh("trap 'echo bye; exit 7' TERM; echo ready; sleep 600 & wait")
SLOW = sh("echo early; sleep 3; echo late; exit 4")
AT_ONCE = 5
SECRET = "s3cret-of-the-run"

pytestmark = pytest.mark.timeout(600)


@dataclass
class Runs:
    """The runtime on the cluster, and functions that start runs on it."""

    api: Api

    def __post_init__(self) -> None:
        machine = platform.machine()
        self.site = Site(self.api.namespace, INSTANCE, ServerVersion(0, 0), loaded=True, machine=machine)
        self.runtime = KubernetesRuntime(KubernetesJobs(self.api, INSTANCE), self.site)

    def of(self, argv: tuple[str, ...], **changes: object) -> Run:
        """Returns a run of a command."""
        name = f"t{uuid.uuid4().hex[:10]}"
        base = Run(
            name=f"norn-x-{name}", app=name, owner=f"execution:{name}", image=IMAGE, tag=IMAGE, argv=argv,
            env={"GREETING": "hello"}, timeout=60, memory=32 * 2**20, cpus=0.1, writable=True, grace=10,
        )  # fmt: skip
        return replace(base, **changes)  # type: ignore[arg-type]

    def end(self, run: Run) -> ContainerExit:
        """Runs a command to its end."""
        return self.runtime.run(run, Owner(self.runtime), FakeWatch().watch)

    def left(self, run: Run) -> list[str]:
        """Returns the kinds of a run's objects that still exist."""
        kinds = ("Job", "Pod", "Secret", "ConfigMap")
        return [kind for kind in kinds if self.api.all_of(kind, f"{marks.RUN}={run.name}")]

    def gone(self, run: Run) -> None:
        """Waits until all objects of a run are removed."""
        wait_until(lambda: self.left(run) == [], 200, f"nothing of {run.name} is left")


@pytest.fixture(scope="module")
def runs(kube_api: Api) -> Runs:
    """The runtime."""
    return Runs(kube_api)


def plain(runs: Runs) -> None:
    """A run gets its environment and its secret, which its Job does not show. It writes its output and leaves
    nothing.
    """
    seen: list[str] = []
    argv = sh('echo "$GREETING"; echo "${#TOKEN}" >&2; grep CapEff /proc/self/status; exit 3')
    run = runs.of(argv, secrets={"TOKEN": Secret(SECRET)})
    owner = Owner(runs.runtime)
    owner.on_begun = lambda: seen.append(json.dumps(runs.api.get("Job", owner.container)))
    ended = runs.runtime.run(run, owner, FakeWatch().watch)
    assert sorted(ended.stdout.text().splitlines()) == [str(len(SECRET)), "CapEff:\t0000000000000000", "hello"]
    assert (ended.exit_code, owner.told, owner.running_when_created) == (3, ["created", "begun"], False)
    assert ended.started_at is not None and ended.finished_at is not None
    assert (SECRET in seen[0], "secretKeyRef" in seen[0]) == (False, True)
    runs.gone(run)


def overdue(runs: Runs) -> None:
    """A run gets SIGTERM when its time is over."""
    run = runs.of(WAITS, timeout=4)
    ended = runs.end(run)
    assert (ended.timed_out, ended.stdout.text()) == (True, "ready\nbye\n")
    runs.gone(run)


def deaf(runs: Runs) -> None:
    """A run gets SIGKILL if it ignores SIGTERM."""
    run = runs.of(sh("while :; do sleep 0.1; done"), timeout=1, grace=1)
    assert runs.end(run).timed_out
    runs.gone(run)


def cancelled(runs: Runs) -> None:
    """A cancel ends a run; when it has ended, its objects are removed already, except perhaps the Secret."""
    run, watch = runs.of(WAITS), FakeWatch()
    owner = Owner(runs.runtime)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runs.runtime.run, run, owner, watch.watch)
        wait_until(lambda: watch.said == ["ready\n"], 200, "it runs")
        watch.stop.set("cancelled")
        with pytest.raises(Stopped) as stopped:
            running.result(200)
    assert stopped.value.facts["ended"].stdout.text() == "ready\nbye\n"
    assert [kind for kind in runs.left(run) if kind != "Secret"] == []


def adopted(runs: Runs) -> None:
    """A later owner takes over a run: its code runs once, and all of its output is there."""
    run = runs.of(SLOW)
    job = left_running(runs.runtime, run)
    ended = runs.runtime.adopt(run, job, FakeWatch(token=2).watch)
    assert ended is not None
    assert (ended.exit_code, ended.stdout.text()) == (4, "early\nlate\n")
    runs.gone(run)


def never_begun(runs: Runs) -> None:
    """The next owner removes a Job that was created and not started, and reports that its code never started. After
    that there is no Job to take over.
    """
    run = runs.of(SLOW)
    made = run_job(f"{run.name}-job", run, runs.site, Fence(1, 1))
    runs.api.create(made)
    ended = runs.runtime.adopt(run, made["metadata"]["name"], FakeWatch(token=2).watch)
    assert ended is not None and ended.never_started
    assert runs.runtime.adopt(run, made["metadata"]["name"], FakeWatch(token=2).watch) is None
    runs.gone(run)


def overtaken(runs: Runs) -> None:
    """An earlier owner of the same run does not touch the Job of a later one."""
    run = runs.of(WAITS)
    job = left_running(runs.runtime, run, token=5)
    with pytest.raises(LeaseLost):
        runs.end(run)
    runs.runtime.on.removed(job)
    runs.gone(run)


def missing(runs: Runs) -> None:
    """A run whose image lacks the program ends with 127."""
    ended = runs.end(runs.of(("nosuchprogram",)))
    assert (ended.exit_code, "nosuchprogram" in ended.stderr.text()) == (127, True)


def greedy(runs: Runs) -> None:
    """A run that uses too much memory ends with `oom_killed`."""
    assert runs.end(runs.of(sh("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo done"))).oom_killed


def without_image(runs: Runs) -> None:
    """A run whose image is on no node ends with the reason that the cluster gives."""
    ended = runs.end(runs.of(SLOW, tag="norn/nowhere:7"))
    assert (ended.exit_code, "ErrImageNeverPull" in ended.stderr.text()) == (125, True)


def taken_away(runs: Runs) -> None:
    """A run whose Job others remove ends without an exit code."""
    run, watch = runs.of(WAITS), FakeWatch()
    owner = Owner(runs.runtime)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runs.runtime.run, run, owner, watch.watch)
        wait_until(lambda: watch.said == ["ready\n"], 200, "it runs")
        runs.runtime.on.removed(owner.container)
        ended = running.result(200)
    assert (ended.timed_out, ended.stdout.text().startswith("ready\n")) == (False, True)


def with_terminal(runs: Runs) -> None:
    """A run with a terminal gets its environment and what is typed, and shows its output from the first byte on."""
    types = [Typed(data=b"echo $GREETING ${#TOKEN} $(stty size)\r"), Typed(data=b"exit 9\r")]
    terminal = FakeTerminal(types)
    run = runs.of(sh("echo first; exec sh"), secrets={"TOKEN": Secret(SECRET)})
    ended = runs.end(replace(run, client=RunClient(terminal, True, (33, 77))))
    shown = terminal.read["stdout"].decode()
    assert "first\r\n" in shown, shown
    assert f"hello {len(SECRET)} 33 77\r\n" in shown, shown
    assert (ended.exit_code, ended.stdout.text()) == (9, shown)
    assert ended.started_at is not None and ended.finished_at is not None
    runs.gone(run)


def left_by_its_client(runs: Runs) -> None:
    """A run with a terminal ends soon after its client has left, and no object of it is left."""
    terminal = FakeTerminal([])
    run = runs.of(sh("echo ready; sleep 600"), client=RunClient(terminal, True), grace=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runs.end, run)
        wait_until(lambda: b"ready" in terminal.read["stdout"], 200, "it runs")
        terminal.stop.set("gone")
        with pytest.raises(Stopped):
            running.result(60)
    runs.gone(run)


def overdue_with_terminal(runs: Runs) -> None:
    """A run with a terminal ends when its time is up, although its client is still there."""
    terminal = FakeTerminal([])
    run = runs.of(sh("echo ready; sleep 600"), client=RunClient(terminal, True), timeout=3, grace=1)
    ended = runs.end(run)
    assert (ended.timed_out, ended.stdout.text()) == (True, "ready\r\n")
    runs.gone(run)


def missing_with_terminal(runs: Runs) -> None:
    """A run with a terminal whose image lacks the program ends with 127."""
    ended = runs.end(runs.of(("nosuchprogram",), client=RunClient(FakeTerminal([]), True)))
    assert (ended.exit_code, "nosuchprogram" in ended.stdout.text() + ended.stderr.text()) == (127, True)


def open_input(runs: Runs) -> None:
    """A run whose client closes its input gets the end of the input. A server before 1.30 cannot pass the end on: there
    the run is refused before anything is made.
    """
    run = runs.of(sh("cat"), client=RunClient(FakeTerminal([Typed(data=b"x"), Typed(eof=True)]), False))
    if runs.api.version().passes_end_of_input:
        assert runs.end(run).stdout.text() == "x"
        return
    with pytest.raises(InvalidRequest, match="does not pass on the end of an input"):
        runs.end(run)
    assert runs.left(run) == []


CASES = (
    with_terminal, left_by_its_client, overdue_with_terminal, missing_with_terminal, open_input,
    plain, overdue, deaf, cancelled, adopted, never_begun, overtaken, missing, greedy, without_image, taken_away,
)  # fmt: skip


@pytest.fixture(scope="module")
def done(runs: Runs) -> Iterator[dict[str, Future[None]]]:
    """Runs all cases, a few at the same time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {case.__name__: pool.submit(case, runs) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_run_on_the_cluster(done: dict[str, Future[None]], case: Callable[[Runs], None]) -> None:
    begun = time.monotonic()
    done[case.__name__].result(500)
    print(f"{case.__name__}: {time.monotonic() - begun:.1f} s")
