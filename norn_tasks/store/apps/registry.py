"""Apps as rows and as directories: finds an app, applies an infraspec, removes a row.

An app comes from `norn apply` or from a directory of NORN_APPS_DIR, never from both; its source says where a deploy
gets the code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import RowMapping, delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert

from norn_tasks.domain.errors import AppNotFound, Conflict, InvalidRequest, NornError, SpecInvalid
from norn_tasks.domain.infraspec import FunctionOptions, Infraspec, Role, from_json
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.job import OPEN, JobClass
from norn_tasks.domain.names import app_name
from norn_tasks.store import tables as t
from norn_tasks.store.apps import enrolment, external_hosts, internal_names, secrets, spec_files, uploads
from norn_tasks.store.apps.spec_files import SpecFile
from norn_tasks.store.apps.uploads import Upload
from norn_tasks.store.database.prepared import Prepared, run
from norn_tasks.store.database.session import Tx
from norn_tasks.store.events.publishing import publish

Row = RowMapping
Source = Literal["image", "git", "upload", "directory", "none"]


@dataclass(frozen=True)
class FoundApp:
    """An app, found by its name. `origin` is its directory if it comes from one, otherwise the address of its
    repository; `upload` is its newest uploaded source.
    """

    name: str
    spec: Infraspec
    source: Source
    origin: str | None
    from_directory: bool
    row: Row | None
    upload: Upload | None = None


def spec_of(frozen: Mapping[str, Any]) -> Infraspec:
    """Returns the infraspec that a row stores."""
    return _parsed(json.dumps(frozen, sort_keys=True))


@lru_cache(maxsize=4096)
def _parsed(frozen: str) -> Infraspec:
    return from_json(json.loads(frozen))


def no_such_app(name: str) -> AppNotFound:
    """Returns the error for a name that no app has."""
    return AppNotFound(
        f"there is no app {name[:80]!r}",
        hint="norn status lists the apps; norn deploy DIR makes one of a directory with an infraspec.yaml",
    )


def find(tx: Tx, apps_dir: Path | None, name: str, *, registered_only: bool = False) -> FoundApp:
    """Finds an app. Raises AppNotFound; SpecInvalid for a broken spec; Conflict if its directory contradicts its row.

    `registered_only`: if the app has a row, problems of its directory are ignored.
    """
    try:
        app_name(name)
    except InvalidRequest:
        raise no_such_app(name) from None
    row = tx.execute(select(t.AppRow).where(t.AppRow.name == name)).mappings().one_or_none()
    file = spec_files.find(apps_dir, name)
    if registered_only and row is not None and file is not None and _unusable(row, file) is not None:
        file = None
    return combine(name, row, file, uploads.newest(tx, [name]).get(name))


def combine(name: str, row: Row | None, file: SpecFile | None, upload: Upload | None = None) -> FoundApp:
    """Returns the app of a row, of a directory, or of both; raises as `find` does."""
    if file is None and row is None:
        raise no_such_app(name)
    if file is None:
        assert row is not None
        spec = spec_of(row["written"])
        source = _source(spec, upload, has_directory=row["source"] == "directory")
        return FoundApp(name, spec, source, row["origin"] or spec.repo.url, False, row, upload)
    unusable = _unusable(row, file)
    if unusable is not None:
        raise unusable
    assert file.spec is not None
    source = _source(file.spec, upload, has_directory=True)
    return FoundApp(name, file.spec, source, str(file.directory), True, row, upload)


def _unusable(row: Row | None, file: SpecFile) -> NornError | None:
    """Returns why the directory cannot be deployed; None if it can be."""
    if row is not None and row["source"] == "applied":
        return Conflict(
            f"{file.name} was applied, and is also in {file.directory}",
            hint=f"remove one of them: norn destroy {file.name}, or the directory",
        )
    if file.spec is None:
        return SpecInvalid(file.mistakes)
    return new_role(row, file.spec, f"norn forge {file.name}")


def _source(spec: Infraspec, upload: Upload | None, *, has_directory: bool) -> Source:
    if spec.image is not None:
        return "image"
    if spec.repo.url is not None:
        return "git"
    if upload is not None:
        return "upload"
    return "directory" if has_directory else "none"


def new_role(row: Row | None, spec: Infraspec, again: str) -> Conflict | None:
    """Returns the refusal of an infraspec that would change the role of a forged app; None if the infraspec is
    allowed.
    """
    if row is None or row["role"] == spec.role or row["forge_state"] == "unforged":
        return None
    return Conflict(
        f"role: {spec.app} was forged as a {row['role']} and cannot become a {spec.role}",
        hint=f"norn teardown {spec.app}, then {again}",
    )


def role_of(tx: Tx, name: str) -> Role:
    """Returns the role of an app that has a row; raises AppNotFound."""
    role = run(tx, _ROLE, {"app": name}).scalar()
    if role is None:
        raise no_such_app(name)
    return Role(role)


_ROLE = Prepared("SELECT role FROM apps WHERE name = :app")


def registered_at(tx: Tx, name: str) -> datetime:
    """Returns when an app got its row; raises AppNotFound."""
    at = tx.scalar(select(t.AppRow.created_at).where(t.AppRow.name == name))
    if at is None:
        raise no_such_app(name)
    return at


@dataclass(frozen=True)
class LiveFunction:
    """The live release of a function, its options, and how often the code of an asynchronous call may begin."""

    release: int
    options: FunctionOptions
    max_runs: int


def live_function(tx: Tx, name: str) -> LiveFunction | None:
    """Returns a function's live release; None if the app is not a function or has no live release."""
    row = run(tx, _LIVE_FUNCTION, {"app": name}).one_or_none()
    if row is None:
        return None
    spec = spec_of(row.spec)
    return LiveFunction(row.n, spec.function, 1 + spec.retries.max)


_LIVE_FUNCTION = Prepared(f"""
SELECT l.n, l.spec FROM live_releases l JOIN apps a ON a.name = l.app
 WHERE l.app = :app AND a.role = '{Role.FUNCTION}'""")  # noqa: S608 - built from constants


def options_of_release(tx: Tx, name: str, release: int | None) -> FunctionOptions | None:
    """Returns the options of a release of a function; None if the release is not kept."""
    r = t.ReleaseRow
    spec = tx.scalars(select(r.spec).where(r.app == name, r.n == release)).one_or_none()
    return None if spec is None else spec_of(spec).function


# Changes of the row


def apply(tx: Tx, apps_dir: Path | None, spec: Infraspec, *, actor: str) -> bool:
    """Registers the spec of an app; returns True when the app is new. Applying the same spec again changes nothing.

    Raises Conflict when a directory has the same name, or when a forged app would change its role; HostTaken when
    another app has its internal or its public name.
    """
    file = spec_files.find(apps_dir, spec.app)
    if file is not None:
        raise Conflict(
            f"{spec.app} is already in {file.directory}", hint="edit the infraspec.yaml there, or remove the directory"
        )
    values = {"name": spec.app, **enrolment.registered(spec), "source": "applied", "version": 0}
    made = (
        tx.execute(insert(t.AppRow).values(values).on_conflict_do_nothing().returning(t.AppRow.name)).first()
        is not None
    )
    row = tx.execute(select(t.AppRow).where(t.AppRow.name == spec.app).with_for_update()).mappings().one()
    refusal = new_role(row, spec, "apply it again")
    if refusal is not None:
        raise refusal
    if row["version"] == 0 or row["written"] != spec.to_json() or row["source"] != "applied":
        files = spec_files.read(apps_dir)
        internal_names.take(tx, spec, files)
        external_hosts.take(tx, spec, files)
        _write_version(tx, spec, row["version"] + 1, actor)
    return made


def _write_version(tx: Tx, spec: Infraspec, version: int, actor: str) -> None:
    changed = {
        **enrolment.registered(spec), "source": "applied", "origin": None, "version": version,
        "updated_at": text("clock_timestamp()"),
    }  # fmt: skip
    tx.execute(update(t.AppRow).where(t.AppRow.name == spec.app).values(changed))
    history = insert(t.AppSpecRow).values(app=spec.app, version=version, written=spec.to_json(), actor=actor)
    tx.execute(history.on_conflict_do_nothing())
    publish(tx, EventKind.APP_APPLIED, app=spec.app, version=version, role=str(spec.role), actor=actor)


def remove(tx: Tx, apps_dir: Path | None, name: str, *, actor: str) -> None:
    """Removes an app that has no infrastructure; its jobs and runs stay in lists. Raises AppNotFound or Conflict.

    Norn does not remove a directory, so the app of a directory stays in lists like an app that was never forged.
    """
    row = tx.execute(select(t.AppRow).where(t.AppRow.name == name).with_for_update()).mappings().one_or_none()
    if row is not None:
        _refuse_running(tx, row)
    elif spec_files.find(apps_dir, name) is None:
        raise no_such_app(name)
    tx.execute(delete(t.AppRow).where(t.AppRow.name == name))
    tx.execute(delete(t.AppSpecRow).where(t.AppSpecRow.app == name))
    uploads.forget_all(tx, name)
    secrets.forget(tx, name)
    publish(tx, EventKind.APP_REMOVED, app=name, actor=actor)


def _refuse_running(tx: Tx, row: Row) -> None:
    name, j = row["name"], t.JobRow
    if row["forge_state"] != "unforged" or row["live_deployment"] is not None:
        raise Conflict(f"{name} still has infrastructure", hint=f"norn teardown {name} first, or norn destroy {name}")
    # A job that only reads the app's logs does not prevent the removal.
    works = (j.app == name, j.class_ != str(JobClass.OBSERVE), j.state.in_(OPEN))
    if tx.execute(select(exists().where(*works))).scalar():
        raise Conflict(f"{name} still has a job that has not ended", hint=f"norn jobs --app {name}")
