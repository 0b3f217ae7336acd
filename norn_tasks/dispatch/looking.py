"""Requests that observe something: the logs of an app, an engine, or a cluster."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from norn_tasks.dispatch.intake import (
    Accepted,
    Intake,
    accept,
    refuse_without_workers,
    registered_app,
    require_role,
)
from norn_tasks.domain.errors import Conflict, NotFound, TooManyRequests
from norn_tasks.domain.infraspec import LONG_RUNNING
from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.domain.jobs.placement import HOME
from norn_tasks.domain.jobs.requests import CompareJobRequest, ObserveJobRequest, ReadLogsJobRequest
from norn_tasks.store.apps import clusters, registry, scale
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import engines, workers
from norn_tasks.store.queue import jobs
from norn_tasks.store.queue.jobs import NewJob
from norn_tasks.store.releases import releases
from norn_tasks.store.replicas import draining, drifts

_READERS = (JobKind.READ_LOGS, JobKind.EXEC)


def request_logs(intake: Intake, app: str, request: ReadLogsJobRequest, *, actor: str, holder: str = "") -> Accepted:
    """Accepts a job that sends the app's logs into the job's live stream.

    Raises Unavailable or EngineDown immediately if no worker can run it.
    """
    with intake.database.transaction() as tx:
        if not registry.role_of(tx, app).long_running:
            raise NotFound(f"{app} has no running containers to read from", hint=f"norn status {app}")
        if request.release is not None:
            releases.require_made(tx, app, request.release)
        cluster = clusters.of(tx, app)
        place = intake.settings.place_of_cluster(cluster)
    refuse_without_workers(intake, JobClass.OBSERVE)

    def write(tx: Tx) -> Accepted:
        leave_room(tx, holder)
        asked = replace(request, oldest=int(registry.registered_at(tx, app).timestamp()) * 10**9)
        job = jobs.accept(tx, NewJob(asked, app, actor, patience=30.0, engine=place, cluster=cluster))
        intake.live.watch(job)  # before a worker checks whether there is a reader
        return Accepted(job)

    return accept(intake, JobClass.OBSERVE, None, write)


def leave_room(tx: Tx, holder: str = "") -> None:
    """Raises TooManyRequests if jobs that read logs or run programs would leave no worker free for observations.

    `holder` identifies the sender: one sender may use at most half of these workers.
    """
    places = max(1, workers.slots(tx).get(JobClass.OBSERVE, 0) - 1)
    if jobs.open_of_kinds(tx, _READERS) >= places:
        raise _full(f"the observe workers take at most {places} readers of logs and programs")
    share = max(1, places // 2)
    if holder and jobs.open_of_kinds(tx, _READERS, holder) >= share:
        raise _full(f"your token already has {share} readers of logs and programs; the other half is for others")


def _full(sentence: str) -> TooManyRequests:
    return TooManyRequests(sentence, hint="try again in a moment, or raise NORN_WORKERS_OBSERVE", retry_after=5)


def request_look(intake: Intake, *, actor: str) -> Accepted:
    """Requests an observation of the home engine; joins one that is queued or running."""
    return _requested(intake, HOME, None, actor)


def request_looks_elsewhere(intake: Intake, *, actor: str) -> tuple[Accepted, ...]:
    """Requests an observation of every engine except the home engine, to find containers that were left behind
    there.
    """
    with intake.database.transaction() as tx:
        places = engines.others(tx)
    return tuple(_requested(intake, place, None, actor) for place in places)


def request_cluster_looks(intake: Intake, *, actor: str) -> tuple[Accepted, ...]:
    """Requests an observation of each cluster that has an app; each observation covers only one cluster."""
    with intake.database.transaction() as tx:
        names = clusters.inhabited(tx)
    return tuple(_requested(intake, intake.settings.place_of_cluster(name), name, actor) for name in names)


def request_cluster_look(intake: Intake, cluster: str, *, actor: str) -> Accepted:
    """Requests an observation of one cluster; joins one that is queued or running."""
    return _requested(intake, intake.settings.place_of_cluster(cluster), cluster, actor)


def request_fresh_look(intake: Intake, app: str, *, actor: str) -> Accepted:
    """Requests an observation of the app's cluster, or of the home engine if the app has no cluster."""
    with intake.database.transaction() as tx:
        cluster = clusters.of(tx, app)
    return _requested(intake, intake.settings.place_of_cluster(cluster), cluster, actor)


def request_end_of_drained(intake: Intake, *, actor: str) -> Accepted | None:
    """Requests the removal of draining replicas that are due; None if there are none.

    Before that, it makes some draining replicas due early, if the oldest job that waits for memory needs their memory.
    """
    with intake.database.transaction() as tx:
        if not draining.any_there(tx):
            return None
        draining.make_room(tx)
        if not draining.any_due(tx):
            return None
    cluster = intake.settings.cluster_of_rows
    place = intake.settings.place_of_cluster(cluster)

    def write(tx: Tx) -> Accepted:
        joined = jobs.coalesced(tx, JobKind.OBSERVE, "", _DRAINED)
        if joined is not None:
            return Accepted(joined)
        request = ObserveJobRequest(drained=True)
        new = NewJob(request, "", actor, 60.0, dedupe_key=_DRAINED, engine=place, cluster=cluster)
        return Accepted(jobs.accept(tx, new))

    return accept(intake, JobClass.OBSERVE, None, write)


_DRAINED = "end:drained"
"""The dedupe key of the removal of draining replicas."""
_TUNNEL, _ACCESS = "look:tunnel", "look:access"
"""The dedupe keys of two kinds of jobs: observations of the tunnel, and fetches of the keys of Cloudflare Access. A
request joins a job that has not ended.
"""


def request_tunnel_look(intake: Intake, *, actor: str) -> Accepted | None:
    """Requests an observation of the tunnel and its DNS records, or of the edge; returns None on a server that has
    neither.
    """
    if not intake.settings.has_tunnel and not intake.settings.has_edge:
        return None
    return _joined(intake, ObserveJobRequest(tunnel=True), _TUNNEL, actor)


def request_access_keys(intake: Intake, *, actor: str) -> Accepted | None:
    """Requests that the keys of Cloudflare Access are fetched; returns None on a server that does not use Access."""
    if not intake.settings.access_team:
        return None
    return _joined(intake, ObserveJobRequest(access=True), _ACCESS, actor)


def _joined(intake: Intake, request: ObserveJobRequest, key: str, actor: str) -> Accepted:
    def write(tx: Tx) -> Accepted:
        joined = jobs.coalesced(tx, JobKind.OBSERVE, "", key)
        if joined is not None:
            return Accepted(joined)
        return Accepted(jobs.accept(tx, NewJob(request, "", actor, patience=60.0, dedupe_key=key)))

    return accept(intake, JobClass.OBSERVE, None, write)


def request_comparison(intake: Intake, app: str, *, actor: str) -> Accepted:
    """Requests a comparison of an app's replicas with its live release; joins one that is queued or running."""
    with intake.database.transaction() as tx:
        cluster = clusters.of(tx, app)
    place = intake.settings.place_of_cluster(cluster)

    def write(tx: Tx) -> Accepted:
        found, row = registered_app(intake, tx, app)
        require_role(found, LONG_RUNNING, "it has no running replicas")
        live = releases.require_live(tx, app)
        joined = jobs.coalesced(tx, JobKind.COMPARE, app, f"compare:{app}")
        if joined is not None:
            return Accepted(joined)
        request = CompareJobRequest(live["image_id"], scale.override_of(row), live["generation"])
        new = NewJob(
            request, app, actor, spec=live["spec"], release=live["n"], patience=60.0, dedupe_key=f"compare:{app}",
            engine=place, cluster=cluster,
        )  # fmt: skip
        return Accepted(jobs.accept(tx, new))

    return accept(intake, JobClass.OBSERVE, None, write)


COMPARED_EACH = 24
"""The hours between two automatic comparisons of one app."""
_AT_ONCE = 5


def request_due_comparisons(intake: Intake, *, actor: str) -> None:
    """Requests the comparisons that are due, a few at a time."""
    with intake.database.transaction() as tx:
        apps = drifts.due(tx, COMPARED_EACH, _AT_ONCE)
    for app in apps:
        with suppress(Conflict, NotFound):  # the app was just torn down or removed
            request_comparison(intake, app, actor=actor)


def _requested(intake: Intake, place: str | None, cluster: str | None, actor: str) -> Accepted:
    return accept(intake, JobClass.OBSERVE, None, lambda tx: _look(tx, place, cluster, actor))


def _look(tx: Tx, place: str | None, cluster: str | None, actor: str) -> Accepted:
    key = f"look:{place}" if cluster is None else f"look:cluster:{cluster}"
    joined = jobs.coalesced(tx, JobKind.OBSERVE, "", key)
    if joined is not None:
        return Accepted(joined)
    new = NewJob(ObserveJobRequest(), "", actor, patience=60.0, dedupe_key=key, engine=place, cluster=cluster)
    return Accepted(jobs.accept(tx, new))
