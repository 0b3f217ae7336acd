"""Reservations of memory: a job that does not fit waits with a reason, a job that fits may go first, and no memory is
given out twice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks import dispatch
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import StepPosition
from norn_tasks.settings import Settings
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory, workers
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import jobs_read, readiness, sweeper
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs
from norn_tasks.store.status import health
from norn_tasks.store.tables import JobRow, WorkerRow
from tests import factories

MIB = 2**20


def _engine(database: Database, mib: int, building: int = 0) -> None:
    """Adds an engine with this much memory, and a worker that reports it."""
    speaks = {"name": "speaks", "class_": "invoke", "host": "here", "pid": 1, "engine": factories.ENGINE, "slots": 1}
    with database.transaction() as tx:
        memory.speak(tx, factories.ENGINE, mib * MIB, building * MIB)
        tx.execute(insert(WorkerRow).values(speaks).on_conflict_do_nothing())


def test_an_engine_that_nobody_speaks_for_any_more_has_no_room_to_wait_for(database: Database) -> None:
    """The row of a replaced engine remains, but its free memory is not that of the engine which replaced it."""
    _engine(database, 1000, building=700)
    with database.transaction() as tx:
        memory.speak(tx, "engine-that-was", 10_000 * MIB, 700 * MIB)
        first, second = (factories.add_job(tx, JobKind.DEPLOY, app) for app in ("one", "two"))
    assert _claim(database, JobClass.DEPLOY) == first
    with database.transaction() as tx:
        assert list(memory.waiting(tx, [second])) == [second]


def _function(database: Database, app: str, mib: int, calls: int, at_once: int = 50) -> list[int]:
    factories.add_live(database, app, more=f"function: {{memory: {mib}m}}\n", at_once=at_once)
    with database.transaction() as tx:
        release = releases.require_live(tx, app)
        return [
            runs.accept_call(tx, release, Call(), sync=False, actor="test", patience=60).job for _ in range(calls)
        ]  # fmt: skip


def _left(database: Database) -> int:
    with database.transaction() as tx:
        return memory.room(tx, factories.ENGINE).free // MIB


def _claim(database: Database, job_class: JobClass = JobClass.INVOKE) -> int | None:
    job = take(database, factories.claimer(job_class=job_class))
    return None if job is None else job.id


def test_a_claim_holds_memory_and_its_end_gives_it_back(database: Database) -> None:
    _engine(database, 1000)
    _function(database, "fn", 300, calls=1)
    job = factories.claim(database, job_class=JobClass.INVOKE)
    held = _left(database)
    Ledger(database, patience=0).finish(job.fence, JobState.SUCCEEDED)
    assert (held, _left(database)) == (700, 1000)


def test_what_does_not_fit_waits_until_it_does(database: Database) -> None:
    _engine(database, 500)
    _function(database, "fn", 300, calls=2)
    first = factories.claim(database, job_class=JobClass.INVOKE)
    assert _claim(database) is None
    Ledger(database, patience=0).finish(first.fence, JobState.SUCCEEDED)
    assert _claim(database) is not None


def test_what_fits_does_not_wait_behind_what_does_not(database: Database) -> None:
    _engine(database, 500)
    _function(database, "large", 600, calls=1)
    (small,) = _function(database, "small", 100, calls=1)
    assert _claim(database) == small


def test_an_engine_that_has_not_spoken_holds_nobody_up(database: Database) -> None:
    _function(database, "fn", 300, calls=1)
    assert _claim(database) is not None


def test_claims_at_the_same_moment_never_give_more_than_there_is(database: Database) -> None:
    _engine(database, 1000)
    for n in range(8):
        _function(database, f"fn-{n}", 150, calls=4)
    with ThreadPoolExecutor(16) as pool:
        taken = [job for job in pool.map(lambda _: _claim(database), range(32)) if job is not None]
    assert (_left(database) >= 0, len(taken)) == (True, (1000 - _left(database)) // 150)


def test_after_all_of_that_everything_is_done_in_its_turn(database: Database) -> None:
    _engine(database, 1000)
    waiting = {job for n in range(4) for job in _function(database, f"fn-{n}", 150, calls=5)}
    ledger, done = Ledger(database, patience=0), set()
    while (job := take(database, factories.claimer(job_class=JobClass.INVOKE))) is not None:
        done.add(job.id)
        ledger.finish(job.fence, JobState.SUCCEEDED)
    assert (done, _left(database)) == (waiting, 1000)


def test_replicas_count_with_what_their_spec_reserves(database: Database) -> None:
    _engine(database, 1000)
    factories.add_live(database, "site", "webserver", "resources: {memory: 200m}\n")
    with database.transaction() as tx:
        for n in range(2):
            tx.execute(
                text("""INSERT INTO replicas(container, app, release, generation, state, token)
                        VALUES (:c, 'site', 1, 1, 'live', 1)"""),
                {"c": f"c{n}"},
            )
    assert _left(database) == 600


def _replicas(database: Database, app: str, count: int, mib: int | None = None) -> None:
    """Records replicas of an app, each limited to `mib` of memory; None: as a worker of an older version
    recorded them.
    """
    with database.transaction() as tx:
        tx.execute(
            text("""INSERT INTO replicas(container, app, release, generation, state, token, memory)
                    SELECT :app || n, :app, 1, 1, 'live', 1, :memory FROM generate_series(1, :count) n"""),
            {"app": app, "count": count, "memory": mib and mib * MIB},
        )


@pytest.mark.parametrize(("count", "left"), [(0, 1200), (1, 1000), (2, 800), (9, 800)])
def test_replicas_whose_spec_names_no_memory_reserve_a_third_of_the_rest_at_most(
    database: Database, count: int, left: int
) -> None:
    _engine(database, 1500)
    factories.add_live(database, "named", "worker", "resources: {memory: 300m}\n")
    factories.add_live(database, "web", "webserver")
    _replicas(database, "named", 1, 300)
    _replicas(database, "web", count, 200)
    assert _left(database) == left


def test_replicas_of_an_older_version_have_no_limit_and_reserve_nothing(database: Database) -> None:
    _engine(database, 1000)
    factories.add_live(database, "web", "webserver")
    _replicas(database, "web", 3)
    assert _left(database) == 1000


def test_a_build_takes_what_the_replicas_leave(database: Database) -> None:
    """The build gets 200 of its 700 MiB. It does not wait for more, because the replicas keep their memory."""
    _engine(database, 1000, building=700)
    job = _change(database, JobKind.DEPLOY, _site(database, there=2))
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(spec=factories.spec("site", "webserver").frozen()))
    assert _claim(database, JobClass.DEPLOY) == job
    assert _left(database) == 0


def test_a_deploy_a_call_and_a_cron_run_fit_beside_three_apps_on_a_server_of_2_gib(database: Database) -> None:
    memory_for_apps, defaults = 1536, Settings()
    _engine(database, memory_for_apps, defaults.build_reserve(memory_for_apps * MIB) // MIB)
    for app in ("one", "two", "three"):
        factories.add_live(database, app, "webserver")
        _replicas(database, app, 1, defaults.replica_memory // MIB)
    with database.transaction() as tx:
        deploy = factories.add_job(tx, JobKind.DEPLOY, "one", spec=factories.spec("one", "webserver").frozen())
    (call,) = _function(database, "fn", 512, calls=1)
    assert (_claim(database, JobClass.DEPLOY), _claim(database)) == (deploy, call)


def test_a_deploy_holds_what_a_build_takes_and_gives_it_back_before_the_rollout(database: Database) -> None:
    _engine(database, 1000, building=700)
    spec = factories.spec("site", "webserver", "resources: {memory: 200m}\n").frozen()
    with database.transaction() as tx:
        factories.add_job(tx, JobKind.DEPLOY, "site", spec=spec)
    job = factories.claim(database)
    built = _left(database)
    Ledger(database, patience=0).begin_step(job.fence, StepPosition(5, "rollout-image"), DeploymentState.DEPLOYING)
    assert (built, _left(database)) == (300, 800)


def test_a_deploy_waits_for_the_memory_of_its_build(database: Database) -> None:
    _engine(database, 1000, building=700)
    with database.transaction() as tx:
        first, second = (factories.add_job(tx, JobKind.DEPLOY, app) for app in ("one", "two"))
    assert (_claim(database, JobClass.DEPLOY), _claim(database, JobClass.DEPLOY)) == (first, None)
    with database.transaction() as tx:
        told = memory.waiting(tx, [first, second])
    assert told == {second: "waits for 700m of memory: 300m of the 1000m that its engine has are free"}


def test_a_build_never_needs_more_than_there_is(database: Database) -> None:
    _engine(database, 500, building=700)
    with database.transaction() as tx:
        job = factories.add_job(tx, JobKind.DEPLOY, "one")
    assert _claim(database, JobClass.DEPLOY) == job


def test_a_waiting_job_says_why(database: Database) -> None:
    _engine(database, 500)
    (job,) = _function(database, "fn", 600, calls=1)
    sentence = "waits for 600m of memory: 500m of the 500m that its engine has are free"
    with database.transaction() as tx:
        listed = jobs_read.listed(tx, jobs_read.JobFilter(), Cut(10, None))
        assert [jobs_read.get(tx, job).waits, listed.items[0].waits] == [sentence, sentence]


def test_health_says_who_waits_for_memory_and_no_worker_is_sick_for_it(database: Database) -> None:
    _engine(database, 500)
    (job,) = _function(database, "fn", 600, calls=1)
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(run_after=text("clock_timestamp() - interval '1 h'")))
        (check,) = [each for each in health.checks(tx) if each.name == "memory"]
        assert (readiness.startable(tx), check.status) == ([], health.CheckStatus.WARN)
    assert check.message.startswith(f"job {job} of fn waits for 600m of memory")


def test_a_job_that_memory_kept_waiting_expires_with_that_reason(database: Database) -> None:
    _engine(database, 500)
    (job,) = _function(database, "fn", 600, calls=1)
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(deadline=text("clock_timestamp() - interval '1 s'")))
    sweeper.sweep(database, max_claims=5)
    with database.transaction() as tx:
        error = jobs_read.get(tx, job).error
    assert error is not None and error["sentence"].endswith("and its engine had no memory free for it")


@pytest.mark.parametrize(
    ("role", "more", "words"),
    [
        ("function", "function: {memory: 2g}\n", "function.memory: app asks for 2g, and the largest engine has 1000m"),
        ("webserver", "resources: {memory: 400m}\nreplicas: 2\n", "asks for 400m for each of 3 replicas"),
    ],
)
@pytest.mark.parametrize("ask", [dispatch.request_forge, dispatch.request_deploy])
def test_what_could_never_run_is_refused(
    database: Database, role: str, more: str, words: str, ask: Callable[..., object]
) -> None:
    _engine(database, 1000)
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("app", role, more))
    options = {"force": False} if ask is dispatch.request_forge else {"ref": None}
    with pytest.raises(InvalidRequest, match=words):
        ask(factories.intake(database), "app", actor="test", **options)


def test_the_memory_of_the_engine_is_no_limit_for_replicas_on_other_machines(database: Database) -> None:
    _engine(database, 1000)
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("app", "webserver", "resources: {memory: 4g}\n"), forged=False)
    job = dispatch.request_forge(factories.intake(database, kube_namespace="apps"), "app", force=False, actor="t").job
    with database.transaction() as tx:
        assert tx.scalar(text("SELECT cluster FROM jobs WHERE id = :job"), {"job": job}) == "kubernetes"


def _site(database: Database, there: int, replicas: int = 1) -> dict[str, object]:
    """Makes a webserver with 400 MiB per replica, of which `there` exist; returns its spec."""
    spec = factories.spec("site", "webserver", f"replicas: {replicas}\nresources: {{memory: 400m}}\n").frozen()
    factories.add_live(database, "site", "webserver", f"replicas: {replicas}\nresources: {{memory: 400m}}\n")
    with database.transaction() as tx:
        tx.execute(
            text("""INSERT INTO replicas(container, app, release, generation, state, token)
                    SELECT 'c' || n, 'site', 1, 1, 'live', 1 FROM generate_series(1, :n) n"""),
            {"n": there},
        )
    return spec


def _change(database: Database, kind: JobKind, spec: dict[str, object], override: int | None = None) -> int:
    frozen = None if override is None else {"replicas": override, "spec": spec["replicas"]}
    with database.transaction() as tx:
        return factories.add_job(tx, kind, "site", spec=spec, args={"override": frozen})


@pytest.mark.parametrize("kind", [JobKind.FORGE, JobKind.TEARDOWN])
def test_an_engine_with_less_than_nothing_left_still_does_what_needs_nothing(database: Database, kind: JobKind) -> None:
    _engine(database, 1000)
    spec = _site(database, there=3)
    assert _left(database) == -200
    job = _change(database, kind, spec)
    with database.transaction() as tx:
        assert [each.ready for each in readiness.startable(tx)] == [1]
    assert _claim(database, JobClass.DEPLOY) == job


@pytest.mark.parametrize(("to", "claimed"), [(1, True), (3, True), (4, False)])
def test_a_scale_needs_memory_for_what_it_adds(database: Database, to: int, claimed: bool) -> None:
    _engine(database, 1000)
    job = _change(database, JobKind.SCALE, _site(database, there=3), override=to)
    assert _claim(database, JobClass.DEPLOY) == (job if claimed else None)


def test_a_repair_needs_nothing_for_replicas_that_are_still_counted(database: Database) -> None:
    _engine(database, 1000)
    job = _change(database, JobKind.REPAIR, _site(database, there=3, replicas=3))
    assert _claim(database, JobClass.DEPLOY) == job


@pytest.mark.parametrize(("apart", "claimed"), [((), False), (("far",), True)])
def test_replicas_in_a_cluster_with_memory_of_its_own_need_none_of_an_engine(
    database: Database, apart: tuple[str, ...], claimed: bool
) -> None:
    """Its replicas have no rows, unlike those of the Docker cluster."""
    _engine(database, 1000)
    job = _change(database, JobKind.SCALE, _site(database, there=0), override=4)
    with database.transaction() as tx:
        tx.execute(text("UPDATE jobs SET cluster = 'far'"))
        far = workers.Presence(
            "far", JobClass.DEPLOY, "host", 1, 2, None, None, clusters=("far",), clusters_apart=apart
        )
        workers.say(tx, far)
    assert _claim(database, JobClass.DEPLOY) == (job if claimed else None)


def test_the_first_rollout_needs_memory_for_all_its_replicas(database: Database) -> None:
    _engine(database, 1000)
    spec = _site(database, there=0, replicas=2)
    _change(database, JobKind.DEPLOY, spec)
    job = factories.claim(database)
    assert _left(database) == 200
    Ledger(database, patience=0).begin_step(job.fence, StepPosition(5, "rollout-image"), DeploymentState.DEPLOYING)
    assert _left(database) == 200


def test_a_deploy_that_goes_on_after_its_build_needs_no_memory_for_one(database: Database) -> None:
    _engine(database, 1000, building=700)
    _function(database, "fn", 150, calls=1)
    assert _claim(database) is not None
    spec = _site(database, there=1)
    job = _change(database, JobKind.DEPLOY, spec)
    assert _claim(database, JobClass.DEPLOY) is None
    with database.transaction() as tx:
        tx.execute(update(JobRow).values(facts={"image_id": "sha256:1"}))
    assert _claim(database, JobClass.DEPLOY) == job


def test_a_scale_that_could_never_fit_is_refused(database: Database) -> None:
    _engine(database, 1000)
    _site(database, there=1)
    with pytest.raises(InvalidRequest, match="asks for 400m for each of 4 replicas"):
        dispatch.request_scale(factories.intake(database), "site", replicas=3, actor="test")
    assert dispatch.request_scale(factories.intake(database), "site", replicas=0, actor="test").job
