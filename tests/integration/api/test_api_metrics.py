"""`/metrics`, read by prometheus-client's own parser: each event is counted once, counts survive restarts, and only
some tokens may read them.
"""

from __future__ import annotations

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from norn_api.access.open_door import refuse_unsafe_settings
from norn_api.metrics import METRICS, ProcessMetrics
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.jobs.app_status import ReplicaStatus, ReplicaUsage, WorkloadStatus
from norn_tasks.domain.jobs.job import JobClass, JobKind, JobState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.domain.jobs.writes import WorkloadSeen
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.ledger.taking import take
from norn_tasks.store.queue import sweeper
from norn_tasks.store.replicas import observations
from norn_tasks.store.upkeep import counters
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.test_api_functions import ended, worker


def scraped(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Returns every sample of a scrape by name and labels."""
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def sample(api: Api, name: str, **labels: str) -> float | None:
    labels = {key.rstrip("_"): value for key, value in labels.items()}
    return scraped(api).get((name, tuple(sorted(labels.items()))))


def one_forge(database: Database) -> None:
    """Runs a job with one step to its end."""
    with database.transaction() as tx:
        shared.add_job(tx, JobKind.FORGE)
    job, ledger = shared.claim(database), Ledger(database, patience=5)
    ledger.begin_step(job.fence, StepPosition(1, "build-image"), None)
    ledger.end_step(job.fence, StepPosition(1, "build-image"), StepEnd(StepState.SUCCEEDED, ends=JobState.SUCCEEDED))


def test_a_job_counts_once_with_its_claim_its_step_and_its_times(api: Api) -> None:
    one_forge(api.database)
    for _ in range(2):
        counters.count(api.database)
    told = scraped(api)
    expected = {
        ("norn_jobs_accepted_total", (("kind", "forge"),)): 1.0,
        ("norn_jobs_ended_total", (("kind", "forge"), ("state", "succeeded"))): 1.0,
        ("norn_claims_total", (("class", "deploy"),)): 1.0,
        ("norn_job_seconds_count", (("kind", "forge"),)): 1.0,
        ("norn_job_wait_seconds_count", (("class", "deploy"),)): 1.0,
        ("norn_step_seconds_count", (("state", "succeeded"), ("step", "build-image"))): 1.0,
        ("norn_step_seconds_bucket", (("le", "1800.0"), ("state", "succeeded"), ("step", "build-image"))): 1.0,
        ("norn_step_seconds_bucket", (("le", "+Inf"), ("state", "succeeded"), ("step", "build-image"))): 1.0,
    }
    assert {key: told.get(key) for key in expected} == expected


def test_each_replica_has_what_it_uses(api: Api) -> None:
    shared.add_live(api.database, "hello", "webserver")
    for at, seconds in ((100.0, 5.0), (110.0, 7.5)):
        usage = ReplicaUsage("c1", at, seconds, 3_000_000)
        seen = WorkloadStatus("hello", 1, 1, (ReplicaStatus("r1-1", "running", 1, usage=usage),))
        with api.database.transaction() as tx:
            observations.workload_seen(tx, {}, WorkloadSeen("docker", (seen,), complete=True))
    assert sample(api, "norn_replica_cpus", app="hello", replica="r1-1") == 0.25
    assert sample(api, "norn_replica_memory_bytes", app="hello", replica="r1-1") == 3_000_000
    assert (sample(api, "norn_replica_usage_age_seconds", app="hello", replica="r1-1") or 0) > 1e9


def test_what_is_counted_stays_when_its_rows_are_gone(api: Api) -> None:
    one_forge(api.database)
    counters.count(api.database)
    with api.database.transaction() as tx:
        tx.execute(text("TRUNCATE jobs, steps, events"))
    one_forge(api.database)
    counters.count(api.database)
    assert sample(api, "norn_jobs_ended_total", kind="forge", state="succeeded") == 2.0


def test_two_who_count_at_once_count_nothing_twice(api: Api) -> None:
    for _ in range(30):
        one_forge(api.database)
    counting = [threading.Thread(target=counters.count, args=(api.database,)) for _ in range(4)]
    for counter in counting:
        counter.start()
    for counter in counting:
        counter.join()
    counters.count(api.database)
    assert sample(api, "norn_jobs_ended_total", kind="forge", state="succeeded") == 30.0


def test_a_call_is_a_run_with_its_duration(connected: Api) -> None:
    shared.add_live(connected.database, "fn", "function")
    add_worker(connected.database)
    with worker(connected):
        connected.post("/fn/fn", data=b"x")
    counters.count(connected.database)
    assert sample(connected, "norn_runs_total", kind="invoke", state="succeeded") == 1.0
    assert sample(connected, "norn_run_seconds_sum", kind="invoke") == pytest.approx(0.007)


def test_an_expired_lease_is_told(api: Api) -> None:
    with api.database.transaction() as tx:
        shared.add_job(tx, JobKind.FORGE)
    take(api.database, shared.claimer(lease=-1))
    sweeper.sweep(api.database, max_claims=5)
    counters.count(api.database)
    assert sample(api, "norn_leases_expired_total", class_="deploy", outcome="requeued") == 1.0


def test_gauges_tell_how_things_stand(api: Api) -> None:
    add_worker(api.database, JobClass.INVOKE, slots=4)
    with api.database.transaction() as tx:
        shared.add_job(tx, JobKind.FORGE)
    told = {name: sample(api, name, class_="deploy") for name in ("norn_queue_depth", "norn_workers")}
    assert told == {"norn_queue_depth": 1.0, "norn_workers": 0.0}
    assert sample(api, "norn_worker_slots", class_="invoke") == 4.0


def test_requests_are_counted_by_their_route_not_by_what_was_typed(api: Api) -> None:
    for path in ("/api/jobs/7", "/api/jobs/8", "/nowhere"):
        api.get(path)
    assert sample(api, "norn_http_requests_total", method="GET", route="/api/jobs/<id:job>", status="404") == 2.0
    assert sample(api, "norn_http_requests_total", method="GET", route="none", status="404") == 1.0
    assert sample(api, "norn_http_request_seconds_count", method="GET", route="/api/jobs/<id:job>") == 2.0


def test_no_method_that_somebody_made_up_is_a_label(api: Api) -> None:
    api.ask("BREW", "/api/jobs")
    assert {dict(labels).get("method") for _, labels in scraped(api)} <= {None, "GET", "other"}


def test_every_sample_belongs_to_a_metric_of_the_table(api: Api) -> None:
    one_forge(api.database)
    counters.count(api.database)
    names = {name for name, _ in scraped(api)}
    ends = ("_bucket", "_sum", "_count", "_created")
    unknown = {n for n in names if n not in METRICS and not any(n.removesuffix(end) in METRICS for end in ends)}
    assert {n for n in unknown if not n.startswith("norn_http_requests")} == set()


@pytest.mark.parametrize(("asked", "status"), [("nobody", 401), ("invoke", 403), ("read", 200)])
def test_it_takes_a_token_of_scope_read(api: Api, asked: str, status: int) -> None:
    who = api.anonymous() if asked == "nobody" else api.asked_as(Scope(asked))
    assert who.get("/metrics").status_code == status


def test_an_operator_may_open_it_to_the_machine(database: Database) -> None:
    assert factories.api(database, metrics="open").anonymous().get("/metrics").status_code == 200


def test_but_not_to_everyone() -> None:
    with pytest.raises(InvalidRequest, match="would show the metrics to anyone"):
        refuse_unsafe_settings(Settings(metrics="open", host="0.0.0.0"))


def test_without_a_database_it_says_so() -> None:
    figures = ProcessMetrics(Database("postgresql://u@127.0.0.1:1/x", pool=1)).text().decode()
    told = {s.name: s.value for family in text_string_to_metric_families(figures) for s in family.samples}
    assert told == {"norn_database_up": 0.0}


def test_calls_of_the_last_hour_are_there_for_each_function(connected: Api) -> None:
    shared.add_live(connected.database, "fn", "function", "function:\n  timeout: 3\n")
    add_worker(connected.database)
    with worker(connected):
        for _ in range(2):
            connected.post("/fn/fn")
    with worker(connected, ended(3)):
        connected.post("/fn/fn")
    found = [sample(connected, f"norn_function_{name}", app="fn") for name in ("calls", "errors")]
    assert found == [3.0, 1.0]
    assert [sample(connected, "norn_function_seconds", app="fn", quantile=q) for q in ("0.5", "0.99")] == [0.007, 0.007]
