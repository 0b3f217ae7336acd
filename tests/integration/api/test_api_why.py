"""`GET /api/apps/{app}/why`: the latest failure that was not repaired since, with its last lines and the rollback after
it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import insert, text, update
from werkzeug.test import TestResponse

from norn_tasks import dispatch
from norn_tasks.domain.alerting.alert import AlertKind, AlertRule, NewAlert
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.pipelines.runner import Runner
from norn_tasks.ports import Limits, Tools
from norn_tasks.store import tables as t
from norn_tasks.store.alerts import alerts
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from norn_tasks.worker.leases import JobStop
from norn_tasks.worker.output import StepOutput
from tests import factories as shared
from tests.fakes.git import FakeGit
from tests.integration.api.factories import Api, add_cron_run

BROKEN = Problem("rollout_failed", "the new container exited 1 at once", "check its command")


@pytest.fixture
def web(api: Api) -> Api:
    """A webserver with releases 1 and 2, of which 2 is live."""
    wanted = shared.add_live(api.database, "web", "webserver")
    with api.database.transaction() as tx:
        shared.add_release(tx, wanted, 2)
    return api


def why(api: Api, app: str = "web") -> Any:
    answer = api.get(f"/api/apps/{app}/why")
    assert answer.status_code == 200, answer.json
    return answer.json


def asked(api: Api, verb: str, **args: Any) -> None:
    getattr(dispatch, f"request_{verb}")(shared.intake(api.database), "web", actor="ann", **args)


def fail_next(api: Api, *lines: str) -> None:
    """Lets the next job fail at its rollout after it has written these lines."""
    job, ledger, place = shared.claim(api.database), Ledger(api.database, patience=1), StepPosition(2, "await-rollout")
    ledger.begin_step(job.fence, place, None)
    with api.database.transaction() as tx:
        step_logs.append(tx, job.fence, place.name, 1, "".join(f"{line}\n" for line in lines))
    ledger.end_step(job.fence, place, StepEnd(StepState.FAILED, problem=BROKEN))
    ledger.finish(job.fence, JobState.FAILED, BROKEN, returns=True)


def succeed_next(api: Api) -> None:
    job = shared.claim(api.database)
    with api.database.transaction() as tx:
        now = text("clock_timestamp()")
        tx.execute(update(t.DeploymentRow).where(t.DeploymentRow.id == job.deployment).values(state="deployed",
                                                                                            ended_at=now))  # fmt: skip
    Ledger(api.database, patience=1).finish(job.fence, JobState.SUCCEEDED)


def test_an_app_that_is_well_has_no_reasons(web: Api) -> None:
    told = why(web)
    assert (told["reasons"], told["live"]["release"], told["state"]) == ([], 2, "down")
    assert (told["sentence"], told["hint"]) == ("web is down: release 2 is live, 0 of 1 ready", "norn logs web")


def test_a_failed_rollout_is_told_with_its_place_its_last_lines_and_its_return(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web, "starting", "cannot bind port")
    (reason,) = why(web)["reasons"]
    assert (reason["kind"], reason["state"], reason["step"]) == ("rollback", "failed", "await-rollout")
    assert (reason["code"], reason["sentence"], reason["hint"]) == (BROKEN.code, BROKEN.sentence, BROKEN.hint)
    assert (reason["last_lines"], reason["release"]) == (["starting", "cannot bind port"], 1)
    assert reason["returned"] == {"deployment": 4, "release": 2, "state": "queued"}


def test_the_return_itself_is_no_reason(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web)
    succeed_next(web)
    (reason,) = why(web)["reasons"]
    assert (reason["deployment"], reason["returned"]["state"]) == (3, "deployed")


def test_the_failure_stays_the_last_deployment_after_the_return(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web)
    succeed_next(web)
    app = web.get("/api/apps/web").json
    assert (app["state"], app["last_deployment"]["kind"], app["last_deployment"]["state"]) == (
        "down",
        "rollback",
        "failed",
    )


def test_an_app_whose_first_deploy_failed_was_never_live(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web)
    with web.database.transaction() as tx:
        tx.execute(update(t.AppRow).values(live_deployment=None))
    told = why(web)
    assert (told["state"], told["sentence"]) == (
        "deploy failed", "web was never live, and its last deploy failed",
    )  # fmt: skip


def test_what_was_made_good_since_is_past(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web)
    succeed_next(web)
    asked(web, "rollback", release=1)
    succeed_next(web)
    assert why(web)["reasons"] == []


def test_a_failed_scale_is_told_beside_the_failed_deploy_before_it(web: Api) -> None:
    asked(web, "rollback", release=1)
    fail_next(web)
    succeed_next(web)
    asked(web, "scale", replicas=3)
    fail_next(web)
    assert [reason["kind"] for reason in why(web)["reasons"]] == ["scale", "rollback"]


def test_an_occurrence_that_did_not_run_is_told_with_its_reason(api: Api) -> None:
    shared.add_live(api.database, "report", "cron")
    with api.database.transaction() as tx:
        tick = {"app": "report", "scheduled_for": "2026-11-20T09:00:00Z", "decided_by": "beat"}
        tx.execute(insert(t.CronTickRow).values(**tick, verdict="missed", reason="no beat ran"))
    (reason,) = why(api, "report")["reasons"]
    assert (reason["kind"], reason["state"]) == ("occurrence", "missed")
    assert reason["sentence"] == "the occurrence of 2026-11-20 09:00:00 UTC did not run: no beat ran"


def test_a_run_that_failed_is_told_with_the_end_of_its_stderr(api: Api) -> None:
    shared.add_live(api.database, "report", "cron")
    ended = {"state": "failed", "exit_code": 3, "cause": "exit", "sentence": "it exited 3", "stderr": "no disk\n"}
    add_cron_run(api.database, "report", **ended)
    (reason,) = why(api, "report")["reasons"]
    assert (reason["kind"], reason["exit_code"], reason["last_lines"]) == ("run", 3, ["no disk"])


def test_a_call_that_failed_is_told_with_the_end_of_its_stderr(api: Api) -> None:
    shared.add_live(api.database, "thumb", "function")
    with api.database.transaction() as tx:
        call = {"id": 5, "app": "thumb", "job_id": 1, "actor": "ann", "sync": True, "method": "POST", "path": "/"}
        tx.execute(insert(t.FunctionExecutionRow).values(**call, state="failed", exit_code=1, sentence="it exited 1"))
        tx.execute(insert(t.PayloadRow).values(execution=5, stderr=b"bad picture\n"))
    (reason,) = why(api, "thumb")["reasons"]
    assert (reason["kind"], reason["execution"], reason["last_lines"]) == ("call", 5, ["bad picture"])


def test_a_revision_whose_spec_has_mistakes_is_told_with_all_of_them(api: Api, tmp_path: Path) -> None:
    url, git = "https://example.com/new.git", FakeGit()
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("new", "webserver", f"repo: {{url: '{url}'}}\n"))
    git.commit(url, {"infraspec.yaml": b"app: new\nrole: webserver\nport: http\nreplicas: -1\nenvv: {}\n"})
    api.post("/api/apps/new/deploy", json={})
    limits = Limits(1, 1, 1, engine_patience=0.0, workspace=tmp_path, instance="t")
    tools = cast(Tools, type("OnlyGit", (), {"limits": limits, "git": git}))
    Runner(Ledger(api.database, patience=1), tools, StepOutput(api.database)).run(shared.claim(api.database), JobStop())
    (reason,) = why(api, "new")["reasons"]
    assert (reason["step"], reason["code"]) == ("clone-source", "spec_invalid")
    assert [line.split(": ")[1] for line in reason["last_lines"]] == ["port", "replicas", "envv"]
    assert reason["sentence"].startswith("infraspec.yaml has 3 mistakes: infraspec.yaml:3:7: port: ")


@pytest.mark.parametrize(
    ("role", "ask"),
    [
        ("webserver", lambda api: api.get("/api/apps/new/logs")),
        ("webserver", lambda api: api.post("/api/apps/new/restart", json={})),
        ("function", lambda api: api.post("/api/apps/new/invoke")),
    ],
)
def test_what_needs_a_release_leads_to_why_when_the_first_deploy_failed(
    api: Api, role: str, ask: Callable[[Api], TestResponse]
) -> None:
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("new", role, "repo: {url: 'https://example.com/new.git'}\n"))
    assert ask(api).json["hint"] == "norn deploy new"
    api.post("/api/apps/new/deploy", json={})
    assert ask(api).json["hint"] == "norn deploy new"
    fail_next(api, "cannot bind port")
    told = ask(api)
    assert (told.status_code, told.json["code"]) == (409, "not_deployed")
    assert told.json["hint"] == "its last deploy failed: norn why new"
    assert why(api, "new")["reasons"][0]["sentence"] == BROKEN.sentence


def test_why_of_no_app_is_404(api: Api) -> None:
    assert api.get("/api/apps/nobody/why").json["code"] == "app_not_found"


def test_a_failed_restart_is_named_although_its_return_succeeded(web: Api) -> None:
    asked(web, "restart")
    fail_next(web, "KeyError: 'HOST'")
    succeed_next(web)
    (reason,) = why(web)["reasons"]
    assert (reason["kind"], reason["sentence"], reason["last_lines"]) == (
        "restart",
        BROKEN.sentence,
        ["KeyError: 'HOST'"],
    )


def test_an_open_alert_of_its_replicas_is_a_reason(web: Api) -> None:
    alert = NewAlert(AlertKind.CRASH_LOOPING, "web", "web ended 3 times within 5m", "norn logs web")
    with web.database.transaction() as tx:
        alerts.raise_alerts(tx, AlertRule.APP, [alert])
    (reason,) = why(web)["reasons"]
    assert (reason["kind"], reason["sentence"], why(web)["state"]) == (
        "crash-looping",
        alert.sentence,
        "crash-looping",
    )
