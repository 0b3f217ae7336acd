"""Programs in a replica over the API: which requests are refused before a job is made, who may read, and the data in
both directions.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select

from norn_tasks.domain.access import Scope
from norn_tasks.domain.jobs.job import JobClass, JobState, Problem
from norn_tasks.domain.jobs.requests import ExecJobRequest
from norn_tasks.store import tables as t
from norn_tasks.store.broker.live import Live
from norn_tasks.store.ledger.ledger import Ledger
from tests import factories as shared
from tests.integration.api.factories import Api, add_worker


@pytest.fixture
def web(connected: Api) -> Api:
    """A webserver with a live release, and a worker that could run a program in it."""
    shared.add_live(connected.database, "web", "webserver")
    add_worker(connected.database, JobClass.OBSERVE)
    return connected


def asked(api: Api, **body: Any) -> Any:
    return api.post("/api/apps/web/exec", json={"command": ["sh"], **body})


def pieces(api: Api, job: int) -> list[Any]:
    lines = api.get(f"/api/execs/{job}/output").text.splitlines()
    return [json.loads(line) for line in lines if line]


def test_it_is_accepted_for_the_engine_of_the_live_release(web: Api) -> None:
    answer = asked(web, replica=2, tty=True, term="xterm", size=[30, 100])
    job = shared.claim(web.database, job_class=JobClass.OBSERVE)
    with web.database.transaction() as tx:
        engine = tx.scalar(select(t.JobRow.engine).where(t.JobRow.id == job.id))
    assert (answer.status_code, job.id, engine) == (202, answer.json["job"], shared.ENGINE)
    assert job.request == ExecJobRequest(("sh",), replica=2, tty=True, term="xterm", size=(30, 100))


@pytest.mark.parametrize(
    ("body", "field"),
    [({"command": []}, "command"), ({"replica": 0}, "replica"), ({"term": "x\ny"}, "term"), ({"size": [0, 9]}, "size")],
)
def test_what_cannot_be_meant_is_refused_by_its_field(web: Api, body: Any, field: str) -> None:
    answer = asked(web, **body)
    assert (answer.status_code, field in str(answer.json)) == (422, True)


def test_an_app_without_replicas_is_told_what_there_is_instead(web: Api) -> None:
    shared.add_live(web.database, "thumb", "function")
    answer = web.post("/api/apps/thumb/exec", json={"command": ["sh"]})
    assert (answer.status_code, "norn run thumb" in answer.json["detail"]) == (409, True)


def test_without_a_worker_no_job_is_made(connected: Api) -> None:
    shared.add_live(connected.database, "web", "webserver")
    answer = asked(connected)
    with connected.database.transaction() as tx:
        assert (answer.status_code, tx.execute(select(t.JobRow)).all()) == (503, [])


def test_the_last_place_is_kept_for_looks(web: Api) -> None:
    statuses = [asked(web).status_code for _ in range(4)]
    assert statuses == [202, 202, 202, 429]


def test_the_same_key_runs_it_once(web: Api) -> None:
    answers = [
        web.post("/api/apps/web/exec", json={"command": ["sh"]}, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert answers[0].json["job"] == answers[1].json["job"]


def test_what_it_writes_is_read_to_its_exit(web: Api) -> None:
    job = asked(web).json["job"]
    for told in ({"stdout": "b3V0"}, {"stderr": "ZXJy"}, {"exit": 3}):
        web.services.live.offer(f"{job}:out", json.dumps(told), most=9)
    assert pieces(web, job) == [{"stdout": "b3V0"}, {"stderr": "ZXJy"}, {"exit": 3}]


def test_why_it_could_not_run_is_its_last_piece(web: Api) -> None:
    job = asked(web).json["job"]
    claimed = shared.claim(web.database, job_class=JobClass.OBSERVE)
    problem = Problem("not_found", "web has no replica 7 that serves now", "norn status web")
    Ledger(web.database, patience=1).finish(claimed.fence, JobState.FAILED, problem)
    assert pieces(web, job) == [{"problem": problem.to_json()}]


def test_a_reader_is_not_gone_because_the_broker_is(web: Api) -> None:
    job = asked(web).json["job"]
    away = Live("redis://127.0.0.1:1/0")
    assert (away.watched(job), web.services.live.watched(job)) == (True, True)


def test_nobody_watches_after_the_reader_left(web: Api) -> None:
    job = asked(web).json["job"]
    before = web.services.live.watched(job)
    web.services.live.offer(f"{job}:out", '{"exit": 0}', most=9)
    pieces(web, job)
    assert (before, web.services.live.watched(job)) == (True, False)


def typed(api: Api, job: int, **body: Any) -> Any:
    return api.post(f"/api/execs/{job}/input", json=body)


def test_what_is_typed_waits_for_the_program_in_order(web: Api) -> None:
    job, data = asked(web).json["job"], base64.b64encode(b"ls\n").decode()
    statuses = [typed(web, job, seq=1, data=data).status_code, typed(web, job, seq=2, eof=True).status_code]
    taken = [json.loads(web.services.live.take(f"{job}:in", 1) or "{}") for _ in range(2)]
    assert (statuses, [(each["data"], each["eof"]) for each in taken]) == ([204, 204], [(data, False), ("", True)])


def test_what_is_no_base64_is_refused(web: Api) -> None:
    assert typed(web, asked(web).json["job"], data="*").status_code == 422


def test_a_program_that_has_ended_takes_nothing(web: Api) -> None:
    job = asked(web).json["job"]
    claimed = shared.claim(web.database, job_class=JobClass.OBSERVE)
    Ledger(web.database, patience=1).finish(claimed.fence, JobState.SUCCEEDED)
    assert typed(web, job, data="").status_code == 409


@pytest.mark.parametrize("verb", ["output", "input"])
def test_nobody_else_listens_or_types(web: Api, verb: str) -> None:
    job = asked(web).json["job"]
    method = "GET" if verb == "output" else "POST"
    body = {} if verb == "output" else {"json": {}}
    assert web.asked_as(Scope.DEPLOY).ask(method, f"/api/execs/{job}/{verb}", **body).status_code == 403


def test_what_is_typed_is_not_in_the_audit(web: Api) -> None:
    typed(web, asked(web).json["job"], data="")
    assert [row["path"] for row in web.get("/api/audit").json["items"]] == ["/api/apps/web/exec"]
