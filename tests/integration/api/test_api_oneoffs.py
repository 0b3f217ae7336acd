"""One-off commands over the API: which requests are accepted, which are refused with the name of the field, and the
responses.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.domain.jobs.requests import ClientTerminal, RunJobRequest
from norn_tasks.store import tables as t
from tests import factories as shared
from tests.integration.api.factories import Api


@pytest.fixture
def web(api: Api) -> Api:
    """A webserver with a live release."""
    shared.add_live(api.database, "web", "webserver")
    return api


def asked(api: Api, **body: Any) -> Any:
    return api.post("/api/apps/web/run", json=body)


def test_a_command_is_accepted_and_can_begin_though_the_app_has_no_slots(web: Api) -> None:
    answer = asked(web, command=["ls", "-l"])
    job = shared.claim(web.database, job_class=JobClass.CRON)
    run = job.required_execution()
    assert (answer.status_code, answer.json["kind"], answer.json["execution"]) == (202, "run", run.id)
    assert (job.request, run.image_id, run.max_runs) == (RunJobRequest(("ls", "-l"), 3600), "sha256:1", 1)


def test_a_text_is_a_shells(web: Api) -> None:
    asked(web, command="ls | wc -l")
    with web.database.transaction() as tx:
        assert tx.scalar(select(t.OneOffRow.command)) == ["sh", "-c", "ls | wc -l"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "command"),
        ({"command": []}, "command"),
        ({"command": ""}, "command"),
        ({"command": ["a\0b"]}, "command"),
        ({"command": ["ls"], "timeout": 0}, "timeout"),
        ({"command": ["ls"], "timeout": 90_000}, "timeout"),
        ({"command": ["ls"], "privileged": True}, "privileged"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field_and_makes_no_job(web: Api, body: Any, field: str) -> None:
    answer = asked(web, **body)
    with web.database.transaction() as tx:
        assert (answer.status_code, field in str(answer.json), tx.execute(select(t.JobRow)).all()) == (422, True, [])


def test_one_with_a_client_is_read_and_typed_into_where_programs_are(connected: Api) -> None:
    shared.add_live(connected.database, "web", "webserver")
    job = asked(connected, command=["sh"], tty=True, term="xterm", size=[30, 100]).json["job"]
    claimed = shared.claim(connected.database, job_class=JobClass.CRON)
    live = connected.services.live
    assert (claimed.request, live.watched(job)) == (
        RunJobRequest(("sh",), 3600, ClientTerminal(True, "xterm", (30, 100))), True,
    )  # fmt: skip
    typed = connected.post(f"/api/execs/{job}/input", json={"eof": True}).status_code
    live.offer(f"{job}:out", '{"exit": 3}', most=9)
    assert (typed, connected.get(f"/api/execs/{job}/output").text.strip()) == (204, '{"exit": 3}')


def test_one_without_a_client_is_not(web: Api) -> None:
    job = asked(web, command=["ls"]).json["job"]
    assert web.post(f"/api/execs/{job}/input", json={}).status_code == 404


def test_before_the_first_release_there_is_nothing_to_run_in(api: Api) -> None:
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("web", "webserver"))
    assert asked(api, command=["ls"]).json["code"] == "not_deployed"


def test_the_same_key_runs_it_once(web: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = (web.post("/api/apps/web/run", json={"command": ["ls"]}, headers=key).json for _ in range(2))
    assert first["job"] == second["job"]


def test_what_ran_is_listed_and_told_with_its_output(web: Api) -> None:
    with web.database.transaction() as tx:
        ran = {"id": 9, "app": "web", "job_id": 1, "actor": "ann", "command": ["ls"], "timeout": 60}
        tx.execute(insert(t.OneOffRow).values(**ran, state="failed", exit_code=2, stdout="a\n", stderr="b\n"))
    listed, told = web.get("/api/apps/web/runs").json["items"], web.get("/api/runs/9").json
    assert (listed, told["command"], told["exit_code"]) == ([told], ["ls"], 2)
    assert (told["stdout"], told["stderr"]) == ("a\n", "b\n")


def test_a_run_that_is_not_there_is_404(web: Api) -> None:
    assert web.get("/api/runs/9").status_code == 404
