"""Jobs through the API: their progress, their output, and how they are cancelled."""

from __future__ import annotations

import json

import pytest

from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobKind, JobState, Problem
from norn_tasks.domain.jobs.step import Learned, StepEnd, StepPosition, StepState
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from tests import factories as shared
from tests.integration.api.factories import Api

PLAN = ["clone-source", "build-image", "test-image"]


@pytest.fixture
def running(api: Api) -> Job:
    """A forge of `blog` that a worker has claimed."""
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "webserver"))
        shared.add_job(tx, JobKind.FORGE)
    return shared.claim(api.database)


def begin_second_step(api: Api, job: Job) -> Ledger:
    """Plans three steps, ends the first and begins the second."""
    ledger = Ledger(api.database, patience=5)
    ledger.plan(job.fence, PLAN)
    ledger.begin_step(job.fence, StepPosition(0, PLAN[0]), None)
    ledger.end_step(job.fence, StepPosition(0, PLAN[0]), StepEnd(StepState.SUCCEEDED, Learned(note="main is 3f2a")))
    ledger.begin_step(job.fence, StepPosition(1, PLAN[1]), None)
    return ledger


def print_piece(api: Api, job: Job, step: str, seq: int, text: str) -> None:
    """Writes a chunk of a step's output."""
    with api.database.transaction() as tx:
        step_logs.append(tx, job.fence, step, seq, text)


def test_the_only_step_of_a_job_shows_its_output_while_it_runs(api: Api, running: Job) -> None:
    """The row of such a step is written only at its end."""
    print_piece(api, running, "run-container", 1, "half of it\n")
    assert api.get(f"/api/jobs/{running.id}/logs").text == "half of it\n"


def test_steps_are_told_with_those_to_come(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    steps = api.get(f"/api/jobs/{running.id}").json["steps"]
    assert [(step["name"], step["state"]) for step in steps] == [
        ("clone-source", "succeeded"), ("build-image", "running"), ("test-image", "pending"),
    ]  # fmt: skip


def test_ended_step_tells_its_note_and_how_long_it_took(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    step = api.get(f"/api/jobs/{running.id}").json["steps"][0]
    assert (step["note"], 0 <= step["seconds"] < 10) == ("main is 3f2a", True)


def test_failed_job_tells_why(api: Api, running: Job) -> None:
    problem = Problem("build_failed", "the build ended with exit code 1", "see its log")
    Ledger(api.database, patience=5).finish(running.fence, JobState.FAILED, problem)
    job = api.get(f"/api/jobs/{running.id}").json
    assert (job["state"], job["error"]) == ("failed", problem.to_json())


def test_class_is_told_under_its_own_name(api: Api, running: Job) -> None:
    assert api.get(f"/api/jobs/{running.id}").json["class"] == "deploy"


@pytest.mark.parametrize("query", ["app=blog", "kind=forge", "state=running", "class=deploy"])
def test_list_keeps_what_is_asked_for(api: Api, running: Job, query: str) -> None:
    with api.database.transaction() as tx:
        shared.add_job(tx, JobKind.OBSERVE, "other")
    assert [job["id"] for job in api.get(f"/api/jobs?{query}").json["items"]] == [running.id]


# Cancelling


def test_queued_job_is_cancelled_at_once(api: Api) -> None:
    with api.database.transaction() as tx:
        job = shared.add_job(tx)
    answer = api.post(f"/api/jobs/{job}/cancel", json={})
    assert (answer.status_code, answer.json["state"]) == (202, "cancelled")


def test_running_job_is_asked_to_stop(api: Api, running: Job) -> None:
    answer = api.post(f"/api/jobs/{running.id}/cancel")
    assert (answer.json["state"], answer.json["cancel_requested_at"] is not None) == ("running", True)


def test_ended_job_stays_as_it_is(api: Api, running: Job) -> None:
    Ledger(api.database, patience=5).finish(running.fence, JobState.SUCCEEDED)
    assert api.post(f"/api/jobs/{running.id}/cancel").json["state"] == "succeeded"


# Output


def test_output_comes_in_the_order_of_the_steps(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    print_piece(api, running, PLAN[1], 1, "Step 1/3\n")
    print_piece(api, running, PLAN[0], 1, "Cloning\n")
    assert api.get(f"/api/jobs/{running.id}/logs").text == "Cloning\nStep 1/3\n"


def test_output_can_be_kept_to_a_step(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    print_piece(api, running, PLAN[0], 1, "Cloning\n")
    print_piece(api, running, PLAN[1], 1, "Step 1/3\n")
    assert api.get(f"/api/jobs/{running.id}/logs?step=build-image").text == "Step 1/3\n"


def test_output_of_a_step_can_be_continued_after_a_piece(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    print_piece(api, running, PLAN[0], 2, "Cloning\n")
    print_piece(api, running, PLAN[1], 1, "Step 1/3\n")
    print_piece(api, running, PLAN[1], 2, "Step 2/3\n")
    assert api.get(f"/api/jobs/{running.id}/logs?step=build-image&after=1").text == "Step 2/3\n"
    assert api.get(f"/api/jobs/{running.id}/logs?step=build-image&after=2").text == ""


def test_output_can_be_had_as_json_lines(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    print_piece(api, running, PLAN[0], 1, "Cloning ü\n")
    answer = api.get(f"/api/jobs/{running.id}/logs", headers={"Accept": "application/x-ndjson"})
    line = json.loads(answer.text)
    assert (answer.content_type, line["step"], line["seq"], line["text"]) == (
        "application/x-ndjson", "clone-source", 1, "Cloning ü\n",
    )  # fmt: skip


def test_more_output_than_one_read_takes_comes_whole(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    for seq in range(1, 1203):
        print_piece(api, running, PLAN[1], seq, f"{seq}\n")
    assert api.get(f"/api/jobs/{running.id}/logs").text.count("\n") == 1202


def test_following_an_ended_job_ends_at_once(api: Api, running: Job) -> None:
    begin_second_step(api, running)
    print_piece(api, running, PLAN[1], 1, "Step 1/3\n")
    Ledger(api.database, patience=5).finish(running.fence, JobState.FAILED, Problem("x", "y"))
    assert api.get(f"/api/jobs/{running.id}/logs?follow=1").text == "Step 1/3\n"


def test_events_of_an_ended_job_are_streamed_whole_and_end(api: Api, running: Job) -> None:
    Ledger(api.database, patience=5).finish(running.fence, JobState.SUCCEEDED)
    text = api.get(f"/api/jobs/{running.id}/events").text
    kinds = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    assert kinds == ["job.accepted", "job.claimed", "job.ended"]


def test_events_of_a_job_count_without_gaps(api: Api, running: Job) -> None:
    begin_second_step(api, running).finish(running.fence, JobState.SUCCEEDED)
    text = api.get(f"/api/jobs/{running.id}/events").text
    seqs = [json.loads(line[6:])["seq"] for line in text.splitlines() if line.startswith("data: ")]
    assert seqs == list(range(1, len(seqs) + 1))


def test_stream_goes_on_behind_the_last_event_that_was_seen(api: Api, running: Job) -> None:
    Ledger(api.database, patience=5).finish(running.fence, JobState.SUCCEEDED)
    first = api.get(f"/api/events?job={running.id}").json["items"][0]["id"]
    text = api.get(f"/api/jobs/{running.id}/events", headers={"Last-Event-ID": first}).text
    assert "job.accepted" not in text
    assert "job.claimed" in text


def test_a_job_that_must_not_repeat_a_step_goes_on_as_another_one_after_an_answer(api: Api, running: Job) -> None:
    ledger = Ledger(api.database, patience=5)
    ledger.begin_step(running.fence, StepPosition(0, PLAN[0]), None, once=True)
    ledger.hand_back(running.fence, adopt=False)
    told = api.get(f"/api/jobs/{running.id}").json
    assert (told["state"], told["error"]["code"]) == ("error", "needs_attention")
    answer = api.post(f"/api/jobs/{running.id}/resolve", json={"resolution": "done"})
    assert (answer.status_code, answer.json["kind"], answer.json["app"]) == (202, "forge", "blog")
    goes_on = api.get(f"/api/jobs/{answer.json['job']}").json
    assert (goes_on["state"], goes_on["steps"][0]["state"]) == ("queued", "succeeded")
    assert api.post(f"/api/jobs/{running.id}/resolve", json={"resolution": "done"}).status_code == 409
    assert api.post(f"/api/jobs/{running.id}/resolve", json={"resolution": "maybe"}).status_code == 422


def test_a_job_of_no_app_needs_no_attention(api: Api) -> None:
    with api.database.transaction() as tx:
        job = shared.add_job(tx, JobKind.POLL, app="")
    answer = api.post(f"/api/jobs/{job}/resolve", json={"resolution": "abandon"})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
