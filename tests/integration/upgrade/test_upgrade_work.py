"""After an upgrade waiting jobs are done, and jobs of dead workers are taken over or ended."""

from __future__ import annotations

import pytest

from norn_tasks import dispatch
from norn_tasks.domain.jobs.call import Call
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.queue import sweeper
from tests.integration.upgrade.conftest import Copies
from tests.upgrade.kit import FAR_ENGINE, Plane

_OPEN = "SELECT id, kind, app, container, facts FROM jobs WHERE state = '{}' ORDER BY id"


def _ends(plane: Plane, kind: str, app: str, jobs: list[int]) -> list[str]:
    """Returns how the jobs of this kind and app ended: their states, with the codes of errors."""
    found = plane.rows(
        """SELECT state, error->>'code' AS code FROM jobs
            WHERE kind = :kind AND app = :app AND id = ANY(:jobs) ORDER BY id""",
        kind=kind, app=app, jobs=jobs,
    )  # fmt: skip
    return [row.state if row.code is None else f"{row.state}: {row.code}" for row in found]


# Waiting jobs

WAITED = {
    ("deploy", "wait-deploy"): 1, ("deploy", "hello"): 1, ("forge", "wait-forge"): 1, ("rollback", "wait-rollback"): 1,
    ("restart", "wait-restart"): 1, ("restart", "pages"): 1, ("scale", "wait-scale"): 1, ("repair", "wait-repair"): 1,
    ("teardown", "wait-teardown"): 1, ("invoke", "resize"): 2, ("invoke", "echo"): 1, ("invoke", "slow"): 1,
    ("cron-run", "nightly"): 1, ("cron-run", "mended"): 1, ("cron-run", "outage"): 1, ("run", "mailer"): 1,
    ("observe", ""): 1, ("notify", ""): 1, ("call-deadman", ""): 1, ("read-logs", "shop"): 1, ("exec", "shop"): 1,
}  # fmt: skip
"""The number of ready jobs by kind and app when the old version was stopped."""


@pytest.fixture(scope="module")
def worked(copies: Copies) -> tuple[Plane, list[int]]:
    """A control plane whose workers have done all waiting jobs, and the ids of these jobs."""
    plane = copies()
    waiting = plane.rows(_OPEN.format("queued"))
    for row in waiting:
        if row.container is not None:
            plane.hold(row.id)
    plane.run()
    return plane, [row.id for row in waiting]


@pytest.mark.parametrize(("kind", "app"), WAITED)
def test_a_job_that_waited_is_done(worked: tuple[Plane, list[int]], kind: str, app: str) -> None:
    plane, jobs = worked
    assert _ends(plane, kind, app, jobs) == ["succeeded"] * WAITED[kind, app]


@pytest.mark.parametrize(("kind", "app"), [("invoke", "flaky"), ("cron-run", "flaky-run"), ("cron-run", "big")])
def test_a_job_that_may_not_begin_yet_waits_on(worked: tuple[Plane, list[int]], kind: str, app: str) -> None:
    plane, jobs = worked
    assert _ends(plane, kind, app, jobs) == ["queued"]


def test_a_call_gets_the_request_that_it_was_made_with(worked: tuple[Plane, list[int]]) -> None:
    plane, _ = worked
    calls = [run for run in plane.runtime.ran if run.app == "resize"]
    assert [(run.stdin, run.env["NORN_REQUEST_METHOD"], run.memory, run.timeout <= 600) for run in calls] == [
        (b"hello", "POST", 96 * 2**20, True)
    ] * 2


def test_a_run_gets_its_own_command_and_environment(worked: tuple[Plane, list[int]]) -> None:
    plane, _ = worked
    (run,) = [run for run in plane.runtime.ran if run.app == "nightly"]
    assert (run.argv, run.env["MONTH"], run.timeout, run.memory) == (("sh", "-c", "report"), "10", 60, 96 * 2**20)


def test_code_gets_the_secrets_that_were_set(worked: tuple[Plane, list[int]]) -> None:
    plane, _ = worked
    known = {run.app: {name: secret.reveal() for name, secret in run.secrets.items()} for run in plane.runtime.ran}
    assert (known["resize"], known["nightly"]) == ({"TOKEN": "t0ken"}, {"MAIL_KEY": "m4il"})


@pytest.mark.parametrize(
    ("app", "release", "replicas"),
    [("wait-rollback", 1, 1), ("wait-scale", 1, 2), ("wait-repair", 1, 1), ("pages", 1, 1)],
)
def test_a_change_that_waited_is_live(worked: tuple[Plane, list[int]], app: str, release: int, replicas: int) -> None:
    plane, _ = worked
    seen = plane.get(f"/api/apps/{app}")
    running = [each.workload.release for each in plane.cluster.containers.values() if each.workload.app == app]
    assert (seen["release"], seen["wanted"], running) == (release, replicas, [release] * replicas)


def test_a_notification_that_waited_is_sent_to_its_address(worked: tuple[Plane, list[int]]) -> None:
    plane, _ = worked
    (parcel,) = plane.messenger.sent
    assert (parcel.url, plane.vault.open(parcel.sealed).reveal()[:6]) == ("https://hooks.example/pager", "whsec_")


# Jobs of dead workers

LEFT = {
    **{("deploy", f"left-{step}"): ["succeeded"] for step in ("source", "build", "test", "rollout", "pruning")},
    **{(kind, f"left-{kind}"): ["succeeded"] for kind in ("forge", "rollback", "restart", "scale", "repair")},
    ("teardown", "left-teardown"): ["succeeded"],
    ("restart", "left-cancelled"): ["cancelled: cancelled"],
    ("invoke", "slow"): ["error: worker_lost", "succeeded", "succeeded", "succeeded"],
    ("cron-run", "weekly"): ["succeeded"], ("cron-run", "monthly"): ["succeeded"], ("cron-run", "busy"): ["succeeded"],
    ("run", "shop"): ["succeeded"],
    ("observe", ""): ["succeeded"], ("notify", ""): ["succeeded"], ("call-deadman", ""): ["succeeded"],
    ("read-logs", "shop"): ["succeeded"], ("exec", "shop"): ["error: worker_lost"],
}  # fmt: skip
"""How the jobs of a dead worker end, by kind and app; the first call of the app `slow` is synchronous."""


@pytest.fixture(scope="module")
def swept(copies: Copies) -> tuple[Plane, list[int]]:
    """A control plane that has swept and done the jobs of dead workers, and the ids of these jobs."""
    plane = copies()
    left = plane.rows(_OPEN.format("running"))
    for row in left:
        if row.container is not None:
            plane.hold(row.id)
    sweeper.sweep(plane.database, max_claims=5)
    plane.run()
    plane.run(JobClass.OBSERVE, engine=FAR_ENGINE)
    return plane, [row.id for row in left]


@pytest.mark.parametrize(("kind", "app"), LEFT)
def test_a_job_of_a_dead_worker_ends(swept: tuple[Plane, list[int]], kind: str, app: str) -> None:
    plane, jobs = swept
    assert _ends(plane, kind, app, jobs) == LEFT[kind, app]


def test_every_job_of_a_dead_worker_is_one_of_them(swept: tuple[Plane, list[int]]) -> None:
    plane, jobs = swept
    rows = plane.rows("SELECT kind, app, count(*) AS count FROM jobs WHERE id = ANY(:jobs) GROUP BY 1, 2", jobs=jobs)
    assert {(row.kind, row.app): row.count for row in rows} == {each: len(ends) for each, ends in LEFT.items()}


def test_a_deploy_goes_on_behind_the_steps_that_were_done(swept: tuple[Plane, list[int]]) -> None:
    plane, _ = swept
    assert {order.tag.partition(":")[0] for order in plane.images.built} >= {"norn/left-source"}
    assert "norn/left-build" not in {order.tag.partition(":")[0] for order in plane.images.built}


def test_no_slot_and_no_memory_stays_held(swept: tuple[Plane, list[int]]) -> None:
    plane, jobs = swept
    held = "SELECT job_id FROM slots UNION SELECT job_id FROM memory_held"
    assert {row.job_id for row in plane.rows(held)} & set(jobs) == set()


# New requests afterwards


DEPLOYED = ("shop", "hello", "pages", "mailer", "resize", "report", "nightly", "echo", "stopped")


@pytest.fixture(scope="module")
def deployed(copies: Copies) -> tuple[Plane, dict[str, int]]:
    """A control plane that deployed old apps again, and the id of each app's deploy."""
    plane = copies()
    jobs = {app: plane.admin.post(f"/api/apps/{app}/deploy", json={}).json["job"] for app in DEPLOYED}
    plane.run(JobClass.DEPLOY)
    return plane, jobs


@pytest.mark.parametrize("app", DEPLOYED)
def test_a_deploy_of_an_old_app_goes_live(deployed: tuple[Plane, dict[str, int]], app: str) -> None:
    plane, jobs = deployed
    job = plane.get(f"/api/jobs/{jobs[app]}")
    assert (job["state"], plane.get(f"/api/apps/{app}")["release"]) == ("succeeded", job["release"])


def test_a_rollback_to_an_old_release_goes_live(own: Plane) -> None:
    own.admin.post("/api/apps/shop/rollback", json={})
    own.run(JobClass.DEPLOY)
    app = own.get("/api/apps/shop")
    assert (app["release"], app["wanted"], app["state"]) == (2, 3, "running")


@pytest.mark.parametrize("app", ["hello", "resize", "report", "mailer"])
def test_a_forge_of_an_app_whose_spec_did_not_change_changes_nothing(own: Plane, app: str) -> None:
    live, containers = own.get(f"/api/apps/{app}")["live"], dict(own.cluster.containers)
    own.rows("UPDATE jobs SET state = 'cancelled' WHERE state = 'queued' RETURNING id")
    forge = own.admin.post(f"/api/apps/{app}/forge", json={})
    own.run(JobClass.DEPLOY)
    assert own.get(f"/api/jobs/{forge.json['job']}")["state"] == "succeeded"
    assert (own.get(f"/api/apps/{app}")["live"], own.cluster.containers) == (live, containers)


def test_the_first_look_after_the_upgrade_repairs_nothing_that_runs(own: Plane) -> None:
    containers = dict(own.cluster.containers)
    own.run(JobClass.OBSERVE)
    repairs = own.rows("SELECT app FROM jobs WHERE kind = 'repair' AND state IN ('queued', 'running') ORDER BY app")
    assert [row.app for row in repairs] == ["left-repair", "wait-repair"]
    assert own.cluster.containers == containers


def test_an_old_spec_that_says_no_retries_has_none(own: Plane) -> None:
    made = dispatch.request_invoke(own.intake, "echo", call=Call("POST", "/", "", {}, "", b""), sync=False, actor="ann")
    own.runtime.programs = {}
    own.runtime.default = own.runtime.default.__class__(exit_code=1)
    own.run(JobClass.INVOKE)
    assert own.get(f"/api/jobs/{made.job}")["state"] == "failed"
