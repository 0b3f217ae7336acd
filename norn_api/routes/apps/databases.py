"""Databases of apps: their sizes, snapshots, backups, restores and drills (trial restores)."""

from __future__ import annotations

from flask import Response, send_file

from norn_api.schemas.common import AppPath, ListOf, WorkAccepted
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.services import DatabaseResponse, SnapshotPath, SnapshotRequest, SnapshotResponse
from norn_api.services import actor, norn, shares
from norn_api.web.openapi import noun, responses_of, text_response
from norn_api.web.replies import accepted, items, key
from norn_tasks import dispatch
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.services import SnapshotReason, bucket_of_backups, dump_directories
from norn_tasks.store.apps import snapshots
from norn_tasks.store.status import apps, databases

api = noun("databases", "Databases of apps, and their snapshots and backups")
ACCEPTED = responses_of(WorkAccepted, 202)
DUMP = "application/octet-stream"


@api.get("/api/databases", responses=responses_of(ListOf[DatabaseResponse]))
def list_databases() -> Response:
    """Lists the databases of all apps, with size, connections and backups."""
    with norn().database.transaction() as tx:
        found = databases.listed(tx, actor().apps)
    return items(DatabaseResponse, [DatabaseResponse.model_validate(each) for each in found])


@api.get("/api/apps/<app>/snapshots", responses=responses_of(ListOf[SnapshotResponse]))
def list_snapshots(path: AppPath) -> Response:
    """Lists the snapshots and backups of an app's database, newest first."""
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        found = snapshots.listed(tx, frozenset({path.app}))
    return items(SnapshotResponse, [SnapshotResponse.model_validate(each) for each in found])


@api.post("/api/apps/<app>/snapshots", responses=ACCEPTED)
def take_snapshot(path: AppPath, body: SnapshotRequest) -> Response:
    """Takes a snapshot of an app's database, or a backup."""
    work = dispatch.request_snapshot(norn().intake, path.app, backup=body.backup, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.SNAPSHOT)


@api.post("/api/apps/<app>/snapshots/<id:snapshot>/restore", responses=ACCEPTED)
def restore_snapshot(path: SnapshotPath, body: NothingRequest) -> Response:
    """Replaces an app's database with a snapshot, after taking a snapshot of the present database."""
    work = dispatch.request_restore(norn().intake, path.app, snapshot=path.snapshot, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.RESTORE)


@api.get("/api/apps/<app>/snapshots/<id:snapshot>/file", responses=text_response("The dump, for pg_restore", DUMP))
def download_snapshot(path: SnapshotPath) -> Response:
    """Returns the file of a snapshot, in the custom format of pg_dump."""
    with norn().database.transaction() as tx:
        wanted = snapshots.whole(tx, path.app, path.snapshot)
    settings = norn().settings
    bucket = bucket_of_backups(settings.database_backups)
    if bucket is not None and wanted.reason is SnapshotReason.BACKUP:
        place = f"s3://{bucket[0]}/{bucket[1]}{wanted.file}"
        raise NotFound(f"the API does not have backup {path.snapshot}", hint=f"download it from {place}")
    file = dump_directories(settings.data_dir, settings.database_backups).path(wanted.file).resolve()
    give_back = norn().streams.take(shares=shares())
    try:
        response = send_file(file, DUMP, as_attachment=True, download_name=f"{path.app}-{path.snapshot}.dump")
    except OSError as error:
        give_back()
        missing = isinstance(error, FileNotFoundError)
        raise NotFound(
            f"the file {file} of snapshot {path.snapshot} "
            + ("is not on the machine of the API" if missing else f"cannot be read by the API: {error.strerror}"),
            hint="copy it from the machine of the deploy worker that took the snapshot"
            if missing
            else "let API and deploy workers run as the same user, or copy it on its machine",
        ) from None
    except BaseException:
        give_back()
        raise
    response.call_on_close(give_back)
    response.headers["Cache-Control"] = "no-store"
    return response


@api.post("/api/apps/<app>/drill", responses=ACCEPTED)
def drill_backup(path: AppPath, body: NothingRequest) -> Response:
    """Restores the newest backup into a scratch database, and checks the number of rows of each table."""
    work = dispatch.request_drill(norn().intake, path.app, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.DRILL)
