"""The runner with a real ledger: which steps it skips, resumes and repeats, and how it hands back and ends jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from norn_tasks.domain.errors import (
    ClusterDown,
    DatabaseDown,
    EngineDown,
    NornError,
    Postponed,
    StepFailed,
    Stopped,
)
from norn_tasks.domain.infraspec import Infraspec, parse
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.facts import Facts, SourceRevision
from norn_tasks.domain.jobs.job import JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import Learned, Resume
from norn_tasks.domain.jobs.writes import SpecLearned
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.steps.step import Step, StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from norn_tasks.store.queue.sweeper import sweep
from norn_tasks.store.tables import JobRow, StepRow
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories


class Doing(Step):
    """A step that behaves as the test says, and counts its calls."""

    name = "doing"

    def __init__(self, name: str, do: Callable[[StepContext], Learned | None] = lambda _: None, **traits: Any) -> None:
        self.name = name  # type: ignore[misc]
        self._do = do
        self.ran = 0
        self._skip = traits.pop("skip", None)
        for trait, value in traits.items():
            setattr(self, trait, value)

    def skip_reason(self, spec: Infraspec) -> str | None:
        return cast("str | None", self._skip)

    def run(self, context: StepContext) -> Learned | None:
        self.ran += 1
        return self._do(context)


def _fail(_: StepContext) -> Learned | None:
    raise StepFailed("it broke", hint="mend it")


@pytest.fixture
def play(database: Database, tmp_path: Path) -> Callable[..., JobState | None]:
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")

    def run(*steps: Step, job: Job | None = None, stop: JobStop | None = None) -> JobState | None:
        if job is None:
            with database.transaction() as tx:
                factories.add_job(tx, spec=factories.spec("blog").frozen())
            job = factories.claim(database)
        tools = cast(Tools, type("NoTools", (), {"limits": limits}))
        runner = Runner(
            Ledger(database, patience=1), tools, StepOutput(database), pipelines={JobKind.FORGE: lambda _: steps}
        )
        return runner.run(job, stop or JobStop())

    return run


def _steps(database: Database) -> dict[str, str]:
    with database.transaction() as tx:
        return {row.name: row.state for row in tx.execute(select(StepRow).order_by(StepRow.n))}


def _job(database: Database) -> Any:
    with database.transaction() as tx:
        return tx.execute(select(JobRow)).one()


def test_steps_run_in_order_and_the_job_succeeds(database: Database, play: Any) -> None:
    assert play(Doing("one"), Doing("two")) is JobState.SUCCEEDED
    assert _steps(database) == {"one": "succeeded", "two": "succeeded"}


def test_a_skipped_step_keeps_its_reason(database: Database, play: Any) -> None:
    play(Doing("one", skip="not needed"), Doing("two"))
    with database.transaction() as tx:
        row = tx.execute(select(StepRow).where(StepRow.name == "one")).one()
    assert (row.state, row.note) == ("skipped", "not needed")


def test_what_a_step_learns_the_next_one_knows(play: Any) -> None:
    known: list[Facts] = []
    play(
        Doing("one", lambda _: Learned(facts=(SourceRevision("red"),))),
        Doing("two", lambda context: known.append(context.job.facts)),
    )
    assert known[0].require(SourceRevision).revision == "red"


def test_a_failure_ends_the_job_with_the_sentence_and_the_hint(database: Database, play: Any) -> None:
    later = Doing("later")
    assert play(Doing("one", _fail), later) is JobState.FAILED
    assert _job(database).error == {"code": "step_failed", "sentence": "it broke", "hint": "mend it"}
    assert later.ran == 0


def test_a_spec_with_several_mistakes_tells_all_of_them_in_the_steps_output(database: Database, play: Any) -> None:
    def read(_: StepContext) -> Learned | None:
        parse("app: blog\nrole: worker\nreplicas: many\nenvv: {}\nport: 8080\n")
        return None

    assert play(Doing("one", read)) is JobState.FAILED
    assert _job(database).error["sentence"].startswith("infraspec.yaml has 3 mistakes: infraspec.yaml:3:11: ")
    with database.transaction() as tx:
        lines = step_logs.tail(tx, _job(database).id, "one", 9)
    assert [line.split(": ")[:2] for line in lines] == [
        ["infraspec.yaml:3:11", "replicas"],
        ["infraspec.yaml:4:1", "envv"],
        ["infraspec.yaml:5:1", "port"],
    ]
    assert lines[1].endswith("(did you mean env?)")


def test_a_revision_whose_internal_name_is_another_apps_fails_its_step(database: Database, play: Any) -> None:
    factories.add_live(database, "pages", "webserver")
    taken = factories.spec("blog", "webserver", "hosts:\n  internal: pages\n")
    assert play(Doing("clone", lambda _: Learned(writes=(SpecLearned(taken.frozen(), "3f2a"),)))) is JobState.FAILED
    assert (_steps(database), _job(database).error["code"]) == ({"clone": "failed"}, "host_taken")


def test_a_best_effort_failure_is_noted_and_the_job_goes_on(database: Database, play: Any) -> None:
    assert play(Doing("one", _fail, best_effort=True), Doing("two")) is JobState.SUCCEEDED
    assert _steps(database) == {"one": "noted", "two": "succeeded"}


def test_a_step_that_always_runs_runs_after_a_failure(play: Any) -> None:
    tidy = Doing("tidy", always=True)
    play(Doing("one", _fail), tidy)
    assert tidy.ran == 1


def test_a_step_can_learn_that_the_job_has_failed(database: Database, play: Any) -> None:
    told = Learned(failed=Problem("exit", "it exited 1"))
    assert play(Doing("one"), Doing("run", lambda _: told)) is JobState.FAILED
    assert _job(database).error["sentence"] == "it exited 1"


def test_a_defect_of_ours_ends_the_job_too(database: Database, play: Any) -> None:
    def broken(_: StepContext) -> Learned | None:
        raise ZeroDivisionError

    assert play(Doing("one", broken)) is JobState.FAILED
    assert _job(database).error["code"] == "internal"


def test_a_resumed_job_goes_on_at_the_first_step_not_done(database: Database, play: Any) -> None:
    one, source = Doing("one"), Doing("source", resume=Resume.REDO)
    draining = JobStop()

    def drain(context: StepContext) -> Learned | None:
        draining.set("draining")
        raise Stopped("draining")

    two = Doing("two", drain)
    assert play(source, one, two, stop=draining) is None
    row = _job(database)
    assert (row.state, row.claims) == ("queued", 0)
    two = Doing("two")
    assert play(source, one, two, job=factories.claim(database, "w2")) is JobState.SUCCEEDED
    assert (source.ran, one.ran, two.ran) == (2, 1, 1)


def test_a_cancelled_job_ends_cancelled(database: Database, play: Any) -> None:
    stop = JobStop()

    def cancelled(context: StepContext) -> Learned | None:
        stop.set("cancelled")
        context.watch.stop.check()
        return None

    assert play(Doing("one", cancelled), Doing("two"), stop=stop) is JobState.CANCELLED


def test_a_cancel_does_not_stop_the_step_that_cleans_up(database: Database, play: Any) -> None:
    stop = JobStop()

    def cancelled(_: StepContext) -> Learned | None:
        stop.set("cancelled")
        stop.check()
        return None

    tidy = Doing("tidy", lambda context: context.watch.stop.check(), always=True)
    assert play(Doing("one", cancelled), tidy, stop=stop) is JobState.CANCELLED
    assert _steps(database)["tidy"] == "succeeded"


def test_a_step_that_cannot_clean_up_does_not_keep_its_job_from_ending(database: Database, play: Any) -> None:
    assert play(Doing("one", _fail), Doing("tidy", _fail, always=True)) is JobState.FAILED
    assert _steps(database) == {"one": "failed", "tidy": "noted"}


def test_a_lost_lease_writes_nothing(database: Database, play: Any) -> None:
    def lose(_: StepContext) -> Learned | None:
        with database.transaction() as tx:
            tx.execute(update(JobRow).values(lease_until=factories.LONG_AGO))
        sweep(database, max_claims=5)
        return None

    assert play(Doing("one", lose), Doing("two")) is None
    assert _job(database).state == "queued"
    assert _steps(database) == {"one": "running"}


@pytest.mark.parametrize("kind", [EngineDown, ClusterDown])
def test_an_engine_or_cluster_that_stays_away_ends_the_job_as_our_trouble(
    database: Database, play: Any, kind: type[NornError]
) -> None:
    def away(_: StepContext) -> Learned | None:
        raise kind("it does not answer", hint="norn health")

    assert play(Doing("one", away)) is JobState.ERROR
    assert _job(database).error["code"] == kind.code


@pytest.mark.parametrize("best_effort", [False, True])
def test_a_step_that_finds_no_database_leaves_its_job_to_the_sweeper(
    database: Database, play: Any, best_effort: bool
) -> None:
    def down(_: Any) -> Learned | None:
        raise DatabaseDown("the database does not answer")

    assert play(Doing("one", down, best_effort=best_effort, returns=True), Doing("two")) is None
    assert (_job(database).state, _job(database).error) == ("running", None)
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(lease_until=factories.LONG_AGO))
    sweep(database, max_claims=5)
    assert play(Doing("one"), Doing("two"), job=factories.claim(database, "w2")) is JobState.SUCCEEDED


def test_what_a_step_says_is_kept_as_rows(database: Database, play: Any) -> None:
    play(Doing("one", lambda context: context.watch.say("hello\n")))
    with database.transaction() as tx:
        assert step_logs.tail(tx, _job(database).id, "one", 5) == ["hello"]


def test_a_long_output_keeps_head_and_tail(database: Database, play: Any) -> None:
    def talk(context: StepContext) -> Learned | None:
        for n in range(30_000):
            context.watch.say(f"line {n:06d} {'x' * 40}\n")
        return None

    play(Doing("one", talk))
    with database.transaction() as tx:
        lines = step_logs.tail(tx, _job(database).id, "one", 10**6)
    assert lines[-1].startswith("line 029999")
    assert sum(map(len, lines)) < 600 * 1024


def test_a_step_that_must_wait_puts_the_job_back_and_is_done_when_it_is_claimed_again(
    database: Database, play: Any
) -> None:
    turns = iter([False, True])

    def build(_: StepContext) -> Learned | None:
        if not next(turns):
            raise Postponed("waits for the build of shop")
        return None

    one, two = Doing("one"), Doing("two", build)
    assert play(one, two) is None
    assert (_job(database).state, _job(database).claims, _steps(database)) == ("queued", 0, {"one": "succeeded"})
    assert play(one, two, job=factories.claim(database)) is JobState.SUCCEEDED
    assert (one.ran, two.ran) == (1, 2)
