"""The state when the old version was stopped: waiting jobs of each kind, and jobs of dead workers."""

from __future__ import annotations

from history import invoke, spec
from norn_tasks.domain.job import JobClass
from norn_tasks.store.plans import clock
from norn_tasks.worker.heart import JobStop
from world import ENGINE, FAR_ENGINE, World

from norn_tasks import dispatch
from norn_tasks.pipelines.failpoints import Point
from norn_tasks.store import builds, ticks

LEFT_IN_DEPLOY = {
    "left-source": ("clone-source", Point.AFTER),
    "left-build": ("build-image", Point.AFTER),
    "left-test": ("test-image", Point.BEGUN),
    "left-rollout": ("await-rollout", Point.BEFORE),
    "left-pruning": ("prune-images", Point.BEFORE),
}
"""Apps, each with the point at which the worker of its deploy died."""


def ended(w: World) -> None:
    """Makes jobs that ended in the remaining ways: expired, dead, superseded, cancelled while running, lost."""
    late = invoke(w, "resize")
    w.sql("UPDATE jobs SET deadline = clock_timestamp() - interval '1 s' WHERE id = :job", job=late.job)
    w.sweep()
    w.post("apps/tested/forge")
    stop = JobStop()
    stop.set("cancelled")
    w.play(JobClass.DEPLOY, stop=stop)
    invoke(w, "resize", sync=True)
    w.play(JobClass.INVOKE, kill=("run-container", Point.BEGUN))
    invoke(w, "echo")
    w.play(JobClass.INVOKE, kill=("run-container", Point.BEGUN))
    w.runtime.images = set()
    w.make_due("ticker", "70 seconds")
    w.beat()
    w.drain(JobClass.CRON)
    w.runtime.images = None
    _dead(w)
    w.sweep()
    w.drain(JobClass.INVOKE)
    drained = JobStop()
    invoke(w, "resize")
    drained.set("draining")
    w.play(JobClass.INVOKE, stop=drained)
    w.drain(JobClass.INVOKE)


def _dead(w: World) -> None:
    """A job that five workers took and none ended."""
    w.apply("dying", spec("dying", "worker"))
    w.post("apps/dying/forge")
    for _ in range(5):
        w.play(JobClass.DEPLOY, kill=("create-deployment", Point.BEFORE))
        w.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE state = 'running'")
        w.sweep()
    w.sweep()


def left_behind(w: World) -> None:
    """Lets workers die with a job of each kind."""
    for app in (*LEFT_IN_DEPLOY, "left-rollback", "left-restart", "left-scale", "left-teardown", "left-cancelled"):
        w.live(app, "webserver", 'build: {test: "true"}', "resources: {memory: 32m}")
    for app, point in LEFT_IN_DEPLOY.items():
        w.commit(app, spec(app, "webserver", 'build: {test: "true"}', "env: {NEW: '1'}", "resources: {memory: 32m}"))
        w.post(f"apps/{app}/deploy")
        left = w.play(JobClass.DEPLOY, kill=point)
        if left is not None and app == "left-source":
            with w.database.transaction() as tx:
                builds.ask(tx, ENGINE, left.fence)
    w.apply("left-forge", spec("left-forge", "webserver"))
    w.post("apps/left-forge/forge")
    w.play(JobClass.DEPLOY, kill=("create-deployment", Point.BEFORE))
    rollout = ("await-rollout", Point.BEFORE)
    for verb, body, point in (
        ("rollback", {"release": 1}, rollout), ("restart", {}, rollout), ("scale", {"replicas": 2}, rollout),
        ("teardown", {"purge": False}, ("delete-service", Point.AFTER)),
    ):  # fmt: skip
        w.post(f"apps/left-{verb}/{verb}", **body)
        w.play(JobClass.DEPLOY, kill=point)
    cancelled = w.post("apps/left-cancelled/restart")
    w.play(JobClass.DEPLOY, kill=rollout)
    w.post(f"jobs/{cancelled['job']}/cancel")
    w.live("left-repair", "worker")
    _repair(w, "left-repair")
    w.play(JobClass.DEPLOY, kill=rollout)
    _left_runs(w)
    _left_looks(w)
    w.sql("UPDATE jobs SET run_after = created_at WHERE state = 'queued' AND adopt")


def _repair(w: World, app: str) -> None:
    """Removes an app's replica: the next observation requests a repair."""
    for container in [each.id for each in w.cluster.containers.values() if each.workload.app == app]:
        del w.cluster.containers[container]
    w.sql("UPDATE jobs SET ended_at = ended_at - interval '5 s' WHERE app = :app", app=app)
    dispatch.request_look(w.intake, actor="beat@old-host:104")
    w.drain(JobClass.OBSERVE)


def _left_runs(w: World) -> None:
    """Calls and runs: begun with a container (one is back in the queue), recorded and not begun, claimed only."""
    w.speak()
    w.live("slow", "function", "function: {concurrency: 8}", "command: echo")
    invoke(w, "slow")
    back = w.play(JobClass.INVOKE, kill=("run-container", Point.BEGUN))
    assert back is not None
    w.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 s' WHERE id = :job", job=back.id)
    w.sql(
        "UPDATE jobs SET lease_until = lease_until + interval '1 h' WHERE state = 'running' AND id <> :job", job=back.id
    )
    w.sweep()
    w.sql("UPDATE jobs SET lease_until = lease_until - interval '1 h' WHERE state = 'running'")
    w.sql("UPDATE jobs SET run_after = run_after + interval '1 h' WHERE id = :job", job=back.id)
    for sync, point in ((True, Point.BEGUN), (False, Point.BEGUN), (False, Point.RECORDED), (False, Point.BEFORE)):
        invoke(w, "slow", sync=sync)
        w.play(JobClass.INVOKE, kill=("run-container", point))
    for app in ("weekly", "monthly"):
        w.live(app, "cron", 'schedule: "@weekly"', "command: report", "concurrency: allow", "retries: {max: 1}")
        w.post(f"apps/{app}/cron/trigger", force=True)
        w.play(JobClass.CRON, kill=("run-container", Point.BEGUN if app == "weekly" else Point.BEFORE))
    w.live("busy", "cron", 'schedule: "* * * * *"', "command: report")
    w.post("apps/busy/cron/trigger")
    w.play(JobClass.CRON, kill=("run-container", Point.BEGUN))
    w.post("apps/shop/run", command=["ls", "-l"], timeout=60)
    w.play(JobClass.CRON, kill=("run-command", Point.BEGUN))


def _left_looks(w: World) -> None:
    """Jobs of the class observe: an observation, a delivery, the dead man's switch, logs and a program in a replica."""
    w.speak()
    dispatch.request_looks_elsewhere(w.intake, actor="beat@old-host:104")
    w.play(JobClass.OBSERVE, kill=("look-at-engine", Point.BEFORE), engine=FAR_ENGINE)
    w.post("notifications/ops/test")
    w.play(JobClass.OBSERVE, kill=("send-notification", Point.BEFORE))
    _call_deadman(w)
    w.play(JobClass.OBSERVE, kill=("call-deadman", Point.BEFORE))
    _read_logs(w)
    w.play(JobClass.OBSERVE, kill=("read-logs", Point.BEFORE))
    _exec(w)
    w.play(JobClass.OBSERVE, kill=("run-in-replica", Point.BEFORE))


def _call_deadman(w: World) -> None:
    """Requests the call of the dead man's switch, which is made only while the scheduler decides on time."""
    w.sql("UPDATE cron_states SET next_due = next_due + interval '1 min' WHERE next_due < clock_timestamp()")
    assert dispatch.request_deadman(w.intake, actor="beat@old-host:104")


def _read_logs(w: World) -> None:
    dispatch.request_logs(w.intake, "shop", tail=10, follow=False, actor="ann")


def _exec(w: World) -> None:
    how = {"replica": None, "tty": True, "term": "xterm", "size": (24, 80)}
    dispatch.request_exec(w.intake, "shop", command=("sh", "-l"), actor="ann", **how)


CHANGES = ("deploy", "rollback", "restart", "scale", "teardown")


def arranged(w: World) -> None:
    """Makes the apps whose next change will wait, so that no worker runs after the changes are accepted."""
    for verb in CHANGES:
        w.live(f"wait-{verb}", "webserver")
    w.commit("wait-rollback", spec("wait-rollback", "webserver", "env: {NEW: '1'}"))
    w.post("apps/wait-rollback/deploy")
    w.commit("wait-deploy", spec("wait-deploy", "webserver", "replicas: 2"))
    w.live("big", "cron", "command: report", "resources: {memory: 60g}")
    w.live("outage", "cron", 'schedule: "*/2 * * * *"', "catchup: all")
    w.drain(JobClass.DEPLOY)
    _image_gone(w)
    _retried(w)
    w.live("wait-repair", "worker")


def _image_gone(w: World) -> None:
    """The image of a schedule is missing on its engine, and an observation reports that."""
    for image in w.images.of_app("report"):
        del w.images.there[image.id]
    dispatch.request_look(w.intake, actor="beat@old-host:104")
    w.drain(JobClass.OBSERVE)


def _retried(w: World) -> None:
    """A call and a run whose first attempt failed, and that wait an hour for the next one."""
    w.live("flaky", "function", "command: fail", "retries: {max: 3, backoff: 1h}")
    w.live("flaky-run", "cron", "command: fail", "retries: {max: 3, backoff: 1h}")
    invoke(w, "flaky")
    w.post("apps/flaky-run/cron/trigger")
    w.drain(JobClass.INVOKE, JobClass.CRON)


def waiting(w: World) -> None:
    """Accepts jobs of each kind just before the old version stops, so that no worker takes them."""
    w.speak()
    _repair(w, "wait-repair")
    w.apply("wait-forge", spec("wait-forge", "webserver"))
    for verb in ("forge", *CHANGES):
        body = {"replicas": 2} if verb == "scale" else {}
        w.post(f"apps/wait-{verb}/{verb}", key=f"waits-{verb}", **body)
    w.upload("hello", spec("hello", "webserver", "uploaded"), index=b"<h1>Hello again</h1>")
    w.post("apps/hello/deploy")
    w.post("apps/pages/restart")
    invoke(w, "resize", sync=True)
    invoke(w, "resize")
    invoke(w, "echo")
    w.post("apps/mailer/run", command="ls -l")
    w.post("apps/nightly/cron/trigger", command="report", env={"MONTH": "10"}, force=True)
    w.post("apps/big/cron/trigger")
    w.ask("DELETE", "apps/shop/secrets/UNUSED")
    w.ask("PUT", "apps/shop/secrets", json={"values": {"API_KEY": "key-2"}})
    _waiting_looks(w)
    _undecided(w)
    # Jobs of the class observe expire within seconds; one hour more lets a test find them on a slow machine too.
    w.sql("UPDATE jobs SET deadline = deadline + interval '1 h' WHERE class = 'observe' AND state <> 'succeeded'")


def _waiting_looks(w: World) -> None:
    w.speak()
    dispatch.request_look(w.intake, actor="beat@old-host:104")
    w.post("notifications/pager/test")
    w.sql("UPDATE deadman SET asked_at = asked_at - interval '1 h'")
    _call_deadman(w)
    _read_logs(w)
    _exec(w)


def _undecided(w: World) -> None:
    """Decides one occurrence, decides one outage without counting it, and leaves others for the next beat."""
    w.make_due("mended", "70 seconds")
    w.make_due("busy", "70 seconds")
    w.make_due("outage", "2 hours")
    decided = ("busy", "mended", "outage")
    with w.database.transaction() as tx:
        rows = ticks.due_rows(tx, 1000)
        ticks.decide(tx, [row for row in rows if row["app"] in decided], clock(tx), "beat@old-host:104")
    w.make_due("ticker", "3 minutes")
    w.make_due("hourly", "150 minutes")
