"""The past of the old control plane: apps that were made, went live, failed, were scaled, rolled back and removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from norn_tasks.domain.call import Call
from norn_tasks.domain.job import JobClass
from world import World, secret_of, spec

from norn_tasks import dispatch
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.store import call_records, chores, routes, tallies, tokens

SHOP = (
    "healthcheck: /health", "replicas: 2", "secrets: [DB_PASSWORD, API_KEY]", "env: {MODE: live}",
    "hosts: {internal: store, external: shop.example}", "resources: {memory: 64m, cpu: 0.5}",
    'build: {test: "true"}', "artifacts: {retain: 2}", "services: {postgres: {database: shop}}",
)  # fmt: skip
RESIZE = (
    "function: {concurrency: 2, timeout: 10m, memory: 96m, record: full}", "retries: {max: 2, backoff: 2s}",
    "secrets: [TOKEN]", "command: echo",
)  # fmt: skip
NIGHTLY = (
    'schedule: "30 2 * * *"', "timezone: Europe/Berlin", "catchup: all", "concurrency: queue", "jitter: 60s",
    "startDeadline: 6h", "retries: {max: 1, backoff: 5s}", "alerts: {window: 1h, threshold: 2}", "timeout: 60s",
    "secrets: [MAIL_KEY]", "command: report", "resources: {memory: 96m}",
)  # fmt: skip


def call(body: bytes = b"hello", path: str = "/") -> Call:
    """Returns a call of a function."""
    return Call("POST", path, "size=small", {"Accept": "image/png"}, "text/plain", body)


def invoke(w: World, app: str, *, sync: bool = False, body: bytes = b"hello") -> dispatch.Accepted:
    """Accepts a call of a function."""
    return dispatch.request_invoke(w.intake, app, call=call(body), sync=sync, actor="shop-caller")


def failed_run(w: World, app: str, command: str) -> None:
    """Runs a cron app once with another command, requested by a user."""
    w.post(f"apps/{app}/cron/trigger", command=command, force=True)
    w.drain(JobClass.CRON)


def long_ago(w: World, apps_dir: Path) -> None:
    """Makes everything that happened a hundred days ago."""
    w.make_tokens()
    with w.database.transaction() as tx:
        gone = tokens.named(tx, "gone")
        assert gone is not None
        tokens.revoke(tx, gone.id, actor="ann")
    w.speak()
    for name, more in (("ops", {}), ("pager", {"apps": ["report"], "kinds": ["runs-failing", "runs-missed"]})):
        w.post("notifications", name=name, url=f"https://hooks.example/{name}", **more)
    _webservers(w, apps_dir)
    _runs(w)
    _removed(w)
    Housekeeping(w.database, w.intake.settings).round()
    with w.database.transaction() as tx:
        chores.done(tx, chores.BACKUP, size=1024)


def _webservers(w: World, apps_dir: Path) -> None:
    w.live("shop", "webserver", *SHOP, secrets={"DB_PASSWORD": "first", "API_KEY": "key-1", "UNUSED": "x"})
    w.ask("PUT", "apps/shop/secrets", json={"values": {"DB_PASSWORD": "second"}})
    w.post("apps/shop/restart")
    w.drain(JobClass.DEPLOY)
    uploaded(w, "hello", "webserver", index=b"<h1>Hello</h1>")
    uploaded(w, "mailer", "worker", "volumes: [{name: spool, mountPath: /spool, size: 1g}]", "replicas: 2")
    write_pages(apps_dir)
    w.post("apps/pages/forge")
    w.post("apps/pages/deploy")
    w.drain(JobClass.DEPLOY)


def uploaded(w: World, app: str, role: str, *lines: str, **files: bytes) -> None:
    """Applies, uploads, forges and deploys an app whose source is uploaded."""
    written = spec(app, role, "uploaded", *lines)
    w.apply(app, written)
    w.upload(app, written, **files)
    w.post(f"apps/{app}/forge")
    w.post(f"apps/{app}/deploy")
    w.drain(JobClass.DEPLOY)


def write_pages(apps_dir: Path, *lines: str) -> None:
    """Writes the directory of the app `pages`."""
    (apps_dir / "pages" / "infraspec.yaml").write_text(
        "\n".join(["app: pages", "role: webserver", "port: 80", *lines, ""])
    )


def _runs(w: World) -> None:
    w.live("resize", "function", *RESIZE, secrets={"TOKEN": "t0ken"})
    w.live("echo", "function", "command: echo")
    w.live("secretive", "function", "function: {record: meta}", "command: echo")
    w.live("report", "cron")
    w.live("nightly", "cron", *NIGHTLY, secrets={"MAIL_KEY": "m4il"})
    w.live("hourly", "cron", 'schedule: "@every 1h"', "command: report")
    w.live("strict", "cron", 'schedule: "*/2 * * * *"', "command: report", "alerts: {window: 1h, threshold: 2}")
    w.live("hidden", "cron", 'schedule: "* * * * *"', "deploy: false")
    for app in ("resize", "echo", "secretive"):
        invoke(w, app, sync=True)
        invoke(w, app, body=b"\x00\xff")
    w.post("apps/report/cron/trigger")
    w.post("apps/shop/run", command=["ls", "-l"])
    w.drain(JobClass.INVOKE, JobClass.CRON)
    failed_run(w, "nightly", "fail")
    w.make_due("report", "3 hours")
    w.make_due("nightly", "2 days")
    w.beat()
    w.drain(JobClass.CRON)


def _removed(w: World) -> None:
    """Makes two apps that were torn down, of which one was also forgotten."""
    for app in ("oldshop", "forgotten"):
        w.live(app, "webserver", secrets={"KEY": "old"})
        w.post(f"apps/{app}/teardown", purge=True)
        w.drain(JobClass.DEPLOY)
    w.ask("DELETE", "apps/forgotten")


def lately(w: World, apps_dir: Path) -> None:
    """Makes everything that happened an hour ago: releases of several generations, failures, overrides, pauses,
    alerts.
    """
    w.speak()
    with w.database.transaction() as tx:
        call_records.trim_due(tx, 3600, 100)
    _releases(w)
    _failures(w, apps_dir)
    _states_of_apps(w)
    _schedules(w)
    _alerts(w)
    with w.database.transaction() as tx:
        routes.mark_listening(tx, "shop", None)
        routes.mark_listening(tx, "hello", "the port is taken")
    tallies.count(w.database)


def _releases(w: World) -> None:
    """Four releases of shop, a rollback from the third to the second, and the fourth live; then it is scaled."""
    for n in (2, 3):
        w.commit("shop", spec("shop", "webserver", *SHOP, f"container: {{writable: {'true' if n == 3 else 'false'}}}"))
        w.post("apps/shop/deploy")
        w.drain(JobClass.DEPLOY)
    w.post("apps/shop/rollback", release=2, key="back")
    w.drain(JobClass.DEPLOY)
    w.images.registry = {}  # from here on, images are published
    w.commit("shop", spec("shop", "webserver", *SHOP, 'command: ["serve", "--fast"]'))
    w.post("apps/shop/deploy", ref="main")
    w.drain(JobClass.DEPLOY)
    w.images.registry = None
    w.post("apps/shop/scale", replicas=3)
    w.post("apps/mailer/scale", replicas=1)
    w.post("apps/mailer/scale", reset=True)
    w.drain(JobClass.DEPLOY)


def _failures(w: World, apps_dir: Path) -> None:
    """Deploys that failed: one that changed `replicas` from 1 to 5, one in its test, one cancelled, one superseded."""
    write_pages(apps_dir, "replicas: 5", "command: crash")
    w.post("apps/pages/deploy")
    w.drain(JobClass.DEPLOY)
    w.live("tested", "worker", 'build: {test: "true"}')
    w.commit("tested", spec("tested", "worker", 'build: {test: "test-fails"}'))
    w.post("apps/tested/deploy")
    w.drain(JobClass.DEPLOY)
    waiting = w.post("apps/tested/deploy")
    w.post(f"jobs/{waiting['job']}/cancel")
    w.post("apps/tested/deploy")
    w.post("apps/tested/deploy")
    w.commit("tested", spec("tested", "worker", 'build: {test: "true"}'))
    w.drain(JobClass.DEPLOY)
    (apps_dir / "bare" / "infraspec.yaml").write_text(spec("bare", "function", "uploaded"))


def _states_of_apps(w: World) -> None:
    w.apply("draft", spec("draft", "webserver", "uploaded", "env: {A: '1'}"))
    w.apply("draft", spec("draft", "webserver", "uploaded", "env: {A: '2'}"))
    w.apply("idle", spec("idle", "worker"))
    w.post("apps/idle/forge")
    w.live("stopped", "worker")
    w.post("apps/stopped/scale", replicas=0)
    w.drain(JobClass.DEPLOY)
    w.cluster.down = True
    w.apply("broken", spec("broken", "webserver"))
    w.post("apps/broken/forge")
    w.drain(JobClass.DEPLOY)
    w.cluster.down = False


def _schedules(w: World) -> None:
    """A schedule of each kind: overridden, paused, missed, overlapping, with an occurrence left by an outage."""
    w.live("digest", "cron", "command: report")
    w.ask("PUT", "apps/digest/cron/schedule", json={"schedule": "*/10 * * * *", "timezone": "Asia/Tokyo"})
    w.live("cleanup", "cron", 'schedule: "*/5 * * * *"')
    w.make_due("cleanup", "20 minutes")
    w.post("apps/cleanup/cron/pause", reason="the disk is replaced")
    w.make_due("cleanup", "15 minutes")
    w.live("ticker", "cron", 'schedule: "* * * * *"', "command: report")
    w.live("missing", "cron", 'schedule: "* * * * *"', "catchup: none", "startDeadline: 1s")
    w.make_due("missing", "30 minutes")
    w.beat()
    w.drain(JobClass.CRON)
    w.make_due("ticker", "10 seconds")


def _alerts(w: World) -> None:
    """An alert of each kind, some resolved; deliveries that succeeded, that were given up, and that still wait."""
    w.live("failing", "cron", 'schedule: "* * * * *"', "command: fail")
    w.live("mended", "cron", 'schedule: "* * * * *"', "command: report")
    for app in ("failing", "mended"):
        w.make_due(app, "2 minutes")
    w.runtime.programs = {**w.runtime.programs, ("sh", "-c", "report"): w.runtime.programs["sh", "-c", "fail"]}
    w.beat()
    w.drain(JobClass.CRON)
    send(w, 204)
    w.runtime.programs = {**w.runtime.programs, ("sh", "-c", "report"): w.runtime.default}
    w.post("apps/mended/cron/trigger")
    w.drain(JobClass.CRON)
    w.live("unreadable", "cron")
    w.sql("UPDATE cron_states SET timezone = 'Mars/Phobos' WHERE app = 'unreadable'")
    w.sql("UPDATE cron_states SET paused_at = paused_at - interval '9 days' WHERE app = 'cleanup'")
    w.make_due("unreadable", "2 days")
    w.beat()
    for _ in range(3):
        send(w, None)
    w.post("notifications/pager/test")
    w.drain(JobClass.OBSERVE)


def send(w: World, status: int | None) -> None:
    """Sends the waiting deliveries; the receiver answers with this status, or (None) not at all."""
    w.messenger.status = status
    w.sql("UPDATE deliveries SET next_at = clock_timestamp() WHERE state = 'waiting'")
    dispatch.request_deliveries(w.intake, actor="beat@old-host:104")
    w.drain(JobClass.OBSERVE)
    w.messenger.status = 204


__all__: list[Any] = ["call", "invoke", "lately", "long_ago", "secret_of", "send", "uploaded", "write_pages"]
