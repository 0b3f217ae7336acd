"""The promises of every runtime, tested on the fake and on a real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.docker.engine import DockerEngine
from norn_tasks.adapters.incus.runtime import IncusRuntime
from norn_tasks.adapters.nest.runtime import NestRuntime
from norn_tasks.adapters.runtimes.docker import DockerRuntime
from norn_tasks.domain.errors import Conflict, LeaseLost, NornError, ReleaseGone, Stopped
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Run, Runtime
from tests.contract.conftest import IMAGE
from tests.contract.moments import engine_of, once, runs
from tests.fakes.runtime import Does, FakeRuntime
from tests.fakes.stop import FakeWatch
from tests.servers import allowed


def sh(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


BOTH = sh("echo out; echo err >&2; exit 3")
CAT = ("cat",)
SLEEP = ("sleep", "60")
WAITS = sh("trap 'echo bye; exit 0' TERM; echo ready; sleep 60 & wait")
IGNORANT = sh("while :; do sleep 0.1; done")
LEFT = ("draining", "lease_lost")
SLOW = sh("echo early; echo trouble >&2; sleep 1.5; echo late; exit 4")
LOUD = sh("head -c 200000 /dev/zero | tr '\\0' a")
GREEDY = sh("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo done")
MISSING = ("nosuchprogram",)
TELLS = sh('echo "$TOKEN"; echo "$TOKEN" >&2')
SLIPS = sh("printf hunter; sleep 0.5; echo 2!")
PROGRAMS = {
    BOTH: Does(3, b"out\n", b"err\n"),
    CAT: Does(echo=True),
    SLEEP: Does(seconds=60),
    IGNORANT: Does(seconds=60),
    WAITS: Does(stdout=b"ready\n", seconds=60, last_words="bye\n"),
    SLOW: Does(4, b"early\nlate\n", b"trouble\n", seconds=1.5),
    LOUD: Does(stdout=b"a" * 200_000),
    GREEDY: Does(out_of_memory=True),
    MISSING: Does(127),
    TELLS: Does(tells="TOKEN"),
    SLIPS: Does(stdout=b"hunter2!\n"),
}


@dataclass
class Owner:
    """Hooks that record their calls, and raise for the calls that `refuses` names."""

    runtime: Runtime
    refuses: str = ""
    told: list[str] = field(default_factory=list)
    container: str = ""
    running_when_created: bool | None = None
    on_begun: Callable[[], object] = lambda: None

    def created(self, container: str) -> None:
        self.container = container
        self.told.append("created")
        self.running_when_created = next(
            each.running for each in engine_of(self.runtime).containers() if each.id == container
        )
        self._refuse("created")

    def begun(self) -> None:
        self.told.append("begun")
        self.on_begun()
        self._refuse("begun")

    def _refuse(self, word: str) -> None:
        if self.refuses == word:
            raise LeaseLost("another worker owns the job now")


@pytest.fixture(params=["fake", "docker", "nest", "incus"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "fake":
        return FakeRuntime(PROGRAMS, images={IMAGE})
    if request.param == "incus":
        incus: IncusRuntime = request.getfixturevalue("on_incus")
        return incus
    if request.param == "nest":
        nest: NestRuntime = request.getfixturevalue("in_nest")
        return nest
    engine: EngineClient = request.getfixturevalue("clean_engine")
    return DockerRuntime(DockerEngine(engine))


@pytest.fixture
def owner(runtime: Runtime) -> Owner:
    return Owner(runtime)


@pytest.fixture
def base(app: str) -> Run:
    return Run(
        name=f"norn-x-{app}",
        app=app,
        owner=f"execution:{app}",
        image=IMAGE,
        argv=BOTH,
        env={"GREETING": "hello"},
        timeout=30,
        memory=32 * 2**20,
        cpus=1,
        network="none",
        grace=0.3,
    )


def of(runtime: Runtime, run: Run) -> list[str]:
    return [each.id for each in engine_of(runtime).containers() if each.owner == run.owner]


def left_running(runtime: Runtime, run: Run, token: int = 1, reason: str = "draining") -> str:
    """Starts a run for an owner that leaves as soon as the code runs; returns the container, which keeps running."""
    watch = FakeWatch(token=token)
    owner = Owner(runtime, on_begun=lambda: once(lambda: runs(runtime, run.name), lambda: watch.stop.set(reason)))
    with pytest.raises(Stopped):
        runtime.run(run, owner, watch.watch)
    return owner.container


def stopped(runtime: Runtime, run: Run, reason: str, watch: FakeWatch | None = None) -> float:
    """Stops a run as soon as its code runs; returns how long the stop took."""
    watch = watch or FakeWatch()
    at: list[float] = []

    def stop() -> None:
        at.append(time.monotonic())
        watch.stop.set(reason)

    owner = Owner(runtime, on_begun=lambda: once(lambda: runs(runtime, run.name), stop))
    with pytest.raises(Stopped):
        runtime.run(run, owner, watch.watch)
    return time.monotonic() - at[0]


def test_both_streams_and_the_exit_code_are_answered(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(base, owner, FakeWatch().watch)
    assert (ended.exit_code, ended.stdout.head, ended.stderr.head) == (3, b"out\n", b"err\n")


def test_nothing_is_left_after_the_end(runtime: Runtime, base: Run, owner: Owner) -> None:
    runtime.run(base, owner, FakeWatch().watch)
    assert of(runtime, base) == []


def test_its_times_are_told(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(base, owner, FakeWatch().watch)
    assert ended.started_at and ended.finished_at and ended.started_at <= ended.finished_at


def test_it_is_recorded_before_it_is_begun_and_begun_before_it_runs(runtime: Runtime, base: Run, owner: Owner) -> None:
    runtime.run(base, owner, FakeWatch().watch)
    assert (owner.told, owner.running_when_created) == (["created", "begun"], False)


@pytest.mark.parametrize("word", ["created", "begun"])
def test_a_fallen_fence_leaves_nothing(runtime: Runtime, base: Run, word: str) -> None:
    with pytest.raises(LeaseLost):
        runtime.run(base, Owner(runtime, refuses=word), FakeWatch().watch)
    assert of(runtime, base) == []


@pytest.mark.parametrize("size", [0, 5, 65_536, 1_000_000])
def test_stdin_is_exactly_the_given_bytes(runtime: Runtime, base: Run, owner: Owner, size: int) -> None:
    given = bytes(range(256)) * (size // 256 + 1)
    run = replace(base, argv=CAT, stdin=given[:size], max_output=2_000_000, logged=False)
    assert runtime.run(run, owner, FakeWatch().watch).stdout.head == given[:size]


def test_without_stdin_it_is_closed(runtime: Runtime, base: Run, owner: Owner) -> None:
    assert runtime.run(replace(base, argv=CAT), owner, FakeWatch().watch).exit_code == 0


def test_long_output_keeps_its_head_and_tail(runtime: Runtime, base: Run, owner: Owner) -> None:
    out = runtime.run(replace(base, argv=LOUD), owner, FakeWatch().watch).stdout
    assert (len(out.head), len(out.tail), out.size) == (16 * 1024, 48 * 1024, 200_000)


def test_output_over_its_limit_ends_the_run(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(replace(base, argv=LOUD, max_output=1000, logged=False), owner, FakeWatch().watch)
    assert (ended.too_large, len(ended.stdout.head)) == (True, 1000)


def test_output_at_its_limit_is_whole(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(replace(base, argv=LOUD, max_output=200_000, logged=False), owner, FakeWatch().watch)
    assert (ended.too_large, ended.stdout.size, ended.stdout.dropped) == (False, 200_000, 0)


def secretive(base: Run, argv: tuple[str, ...], **more: Any) -> Run:
    token = Secret("hunter2!")
    return replace(base, argv=argv, secrets={"TOKEN": token}, hidden=Redaction([token]), **more)


def test_a_secret_reaches_the_code(runtime: Runtime, base: Run, owner: Owner) -> None:
    run = replace(secretive(base, TELLS), hidden=NOTHING_HIDDEN)
    ended = runtime.run(run, owner, FakeWatch().watch)
    assert (ended.stdout.head, ended.stderr.head) == (b"hunter2!\n", b"hunter2!\n")


@pytest.mark.parametrize("max_output", [None, 1000])
def test_a_secret_does_not_come_back(runtime: Runtime, base: Run, owner: Owner, max_output: int | None) -> None:
    run = secretive(base, TELLS, max_output=max_output, logged=max_output is None)
    ended = runtime.run(run, owner, FakeWatch().watch)
    assert (ended.stdout.head, ended.stderr.head) == (b"***\n", b"***\n")


def test_a_secret_in_two_pieces_does_not_come_back(runtime: Runtime, base: Run, owner: Owner) -> None:
    assert runtime.run(secretive(base, SLIPS), owner, FakeWatch().watch).stdout.head == b"***\n"


def test_past_its_timeout_it_is_ended(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(replace(base, argv=SLEEP, timeout=0.5), owner, FakeWatch().watch)
    assert ended.timed_out and ended.exit_code in (137, 143), ended


def test_its_time_may_be_up_before_its_timeout(runtime: Runtime, base: Run, owner: Owner) -> None:
    run = replace(base, argv=SLEEP, timeout=30, until=time.monotonic() + 1)
    assert runtime.run(run, owner, FakeWatch().watch).timed_out


def test_out_of_memory_is_told(runtime: Runtime, base: Run, owner: Owner) -> None:
    ended = runtime.run(replace(base, argv=GREEDY, memory=16 * 2**20), owner, FakeWatch().watch)
    assert ended.oom_killed


def test_a_program_that_is_not_in_the_image_ends_with_127(runtime: Runtime, base: Run, owner: Owner) -> None:
    assert runtime.run(replace(base, argv=MISSING), owner, FakeWatch().watch).exit_code == 127


def test_an_image_that_is_gone_is_told_before_anything_is_made(runtime: Runtime, base: Run, owner: Owner) -> None:
    with pytest.raises(ReleaseGone):
        runtime.run(replace(base, image=f"norn/{base.app}:nosuch"), owner, FakeWatch().watch)
    assert owner.told == []


def test_a_cancelled_run_is_gone_within_two_seconds(runtime: Runtime, base: Run) -> None:
    took = stopped(runtime, replace(base, argv=SLEEP), "cancelled")
    assert (of(runtime, base), took < allowed(2)) == ([], True)


def test_a_cancelled_run_gets_sigterm_and_may_end(runtime: Runtime, base: Run) -> None:
    watch = FakeWatch()
    took = stopped(runtime, replace(base, argv=WAITS, grace=20), "cancelled", watch)
    assert ("bye\n" in "".join(watch.said), of(runtime, base), took < allowed(5)) == (True, [], True)


@pytest.mark.parametrize("argv", [SLEEP, IGNORANT])
def test_a_cancelled_program_that_handles_no_signal_ends_within_its_grace(
    runtime: Runtime, base: Run, argv: tuple[str, ...]
) -> None:
    """If the program were the first process of its container, it would ignore SIGTERM."""
    assert stopped(runtime, replace(base, argv=argv, grace=60), "cancelled") < allowed(5)


def test_the_output_of_a_cancelled_run_is_answered(runtime: Runtime, base: Run) -> None:
    watch = FakeWatch()
    owner = Owner(runtime, on_begun=lambda: once(lambda: "ready" in spoken(watch), lambda: watch.stop.set("cancelled")))
    if isinstance(runtime, FakeRuntime):
        owner = Owner(runtime, on_begun=lambda: watch.stop.set("cancelled"))
    with pytest.raises(Stopped) as stop:
        runtime.run(replace(base, argv=WAITS, grace=20), owner, watch.watch)
    assert stop.value.facts["ended"].stdout.head == b"ready\nbye\n"


def spoken(watch: FakeWatch) -> str:
    """Returns the output of the run until now."""
    return "".join(watch.said)


@pytest.mark.parametrize("reason", LEFT)
def test_a_logged_run_is_left_to_the_next_owner(runtime: Runtime, base: Run, reason: str) -> None:
    """When a worker loses its lease, the next owner may already wait for the run."""
    run = replace(base, argv=SLOW)
    assert of(runtime, run) == [] and left_running(runtime, run, reason=reason) in of(runtime, run)


@pytest.mark.parametrize("reason", LEFT)
@pytest.mark.parametrize("field", ["logged", "handed_on"])
def test_a_run_that_nobody_goes_on_with_ends_with_its_owner(
    runtime: Runtime, base: Run, field: str, reason: str
) -> None:
    stopped(runtime, replace(base, argv=SLEEP, **{field: False}), reason)
    assert of(runtime, base) == []


def test_a_later_owner_gets_the_end_and_the_output(runtime: Runtime, base: Run) -> None:
    run = replace(base, argv=SLOW)
    ended = runtime.adopt(run, left_running(runtime, run), FakeWatch(token=2).watch)
    assert isinstance(ended, ContainerExit)
    assert (ended.exit_code, ended.stdout.head, ended.stderr.head) == (4, b"early\nlate\n", b"trouble\n")


def test_an_adopted_run_is_gone_after_its_end(runtime: Runtime, base: Run) -> None:
    run = replace(base, argv=SLOW)
    runtime.adopt(run, left_running(runtime, run), FakeWatch(token=2).watch)
    assert of(runtime, run) == []


def test_the_timeout_of_an_adopted_run_counts_from_its_start(runtime: Runtime, base: Run) -> None:
    """The time before the next owner came counts too."""
    run = replace(base, argv=SLEEP, timeout=4)
    container = left_running(runtime, run)
    time.sleep(2)
    ended = runtime.adopt(run, container, FakeWatch(token=2).watch)
    assert ended is not None and ended.timed_out and ended.started_at is not None and ended.finished_at is not None
    assert 4 <= (ended.finished_at - ended.started_at).total_seconds() < 5.8


def test_what_is_gone_has_no_known_end(runtime: Runtime, base: Run) -> None:
    run = replace(base, argv=SLEEP)
    container = left_running(runtime, run)
    engine_of(runtime).remove(container)
    assert runtime.adopt(run, container, FakeWatch(token=2).watch) is None


def test_a_container_whose_start_is_late_is_taken_back_and_its_code_never_runs(
    runtime: Runtime, base: Run, owner: Owner
) -> None:
    """The owner is frozen right before the start. A later owner comes, and then the first one continues."""
    frozen, thawed, ends = threading.Event(), threading.Event(), []
    owner.on_begun = lambda: (frozen.set(), thawed.wait(30))
    first = threading.Thread(target=lambda: ends.append(runtime.run(base, owner, FakeWatch().watch)))
    first.start()
    assert frozen.wait(30)
    adopted = runtime.adopt(base, owner.container, FakeWatch(token=2).watch)
    assert adopted is not None and (adopted.never_started, adopted.exit_code) == (True, None)
    thawed.set()
    first.join(30)
    assert ([end.exit_code for end in ends], of(runtime, base)) == ([None], [])


def test_removing_what_is_not_there_is_fine(runtime: Runtime, base: Run) -> None:
    engine_of(runtime).remove(base.name)


def test_a_container_is_removed_by_its_name(runtime: Runtime, base: Run) -> None:
    left_running(runtime, replace(base, argv=SLEEP))
    engine_of(runtime).remove(base.name)
    assert of(runtime, base) == []


def test_a_leftover_of_the_same_owner_gives_way(runtime: Runtime, base: Run, owner: Owner) -> None:
    left_running(runtime, replace(base, argv=SLEEP))
    assert runtime.run(base, owner, FakeWatch(token=2).watch).exit_code == 3


@pytest.mark.parametrize(
    ("fence", "execution", "refusal"), [(5, "", LeaseLost), (1, "-of-another", Conflict)], ids=["later", "another"]
)
def test_anothers_container_never_gives_way(
    runtime: Runtime, base: Run, owner: Owner, fence: int, execution: str, refusal: type[NornError]
) -> None:
    theirs = replace(base, argv=SLEEP, owner=base.owner + execution)
    container = left_running(runtime, theirs, token=fence)
    with pytest.raises(refusal):
        runtime.run(base, owner, FakeWatch(token=4).watch)
    assert of(runtime, theirs) == [container]
