"""Apps with everything their status tells: the row, the directory, the live release, the schedule, the last look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select

from norn_tasks.domain.app_status import ForgeState, state_word
from norn_tasks.domain.errors import Mistake, NornError, SpecInvalid
from norn_tasks.domain.infraspec import Infraspec, Role, notices
from norn_tasks.store import alerts, deployments, jobs_read, schedules_read, sources, spec_files
from norn_tasks.store import tables as t
from norn_tasks.store.alerts import Alert
from norn_tasks.store.apps import FoundApp, Row, combine, no_such_app, spec_of
from norn_tasks.store.deployments import Deployment
from norn_tasks.store.reading import Reach
from norn_tasks.store.schedules_read import CronSchedule, Tick
from norn_tasks.store.session import Tx
from norn_tasks.store.sources import Upload
from norn_tasks.store.spec_files import SpecFile

_LONG_RUNNING = (Role.WEBSERVER, Role.WORKER)


@dataclass(frozen=True)
class KnownApp:
    """An app that is there: whole, or (`app` None) broken, with what is wrong; `directory` holds its infraspec."""

    name: str
    row: Row | None
    app: FoundApp | None
    directory: Path | None = None
    mistakes: tuple[Mistake, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def spec(self) -> Infraspec | None:
        """The spec that counts; of a broken app the last one that was good."""
        if self.app is not None:
            return self.app.spec
        return spec_of(self.row["spec"]) if self.row is not None else None


@dataclass(frozen=True)
class Workload:
    """What the last look at the cluster saw of an app."""

    wanted: int
    ready: int
    replicas: tuple[dict[str, Any], ...]
    message: str
    seen_at: datetime


@dataclass(frozen=True)
class SeenApp:
    """An app and all that belongs to it now."""

    known: KnownApp
    live: Deployment | None = None
    last_deployment: Deployment | None = None
    running_job: tuple[int, str] | None = None
    schedule: CronSchedule | None = None
    tick: Tick | None = None
    workload: Workload | None = None
    port: int | None = None
    port_error: str | None = None
    alerts: tuple[Alert, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.known.name

    @property
    def role(self) -> Role | None:
        """What it is; None when its spec does not say so."""
        return self.known.spec.role if self.known.spec is not None else None

    @property
    def forge_state(self) -> ForgeState:
        """How its infrastructure stands."""
        return ForgeState(self.known.row["forge_state"]) if self.known.row is not None else ForgeState.UNFORGED

    @property
    def wanted(self) -> int | None:
        """How many replicas there should be; None for what does not stay running."""
        if self.role not in _LONG_RUNNING:
            return None
        if self.workload is not None:
            return self.workload.wanted
        row, spec = self.known.row, self.known.spec
        if row is not None and row["replicas_override"] is not None:
            return int(row["replicas_override"])
        return spec.replicas if spec is not None else None

    @property
    def ready(self) -> int | None:
        """How many replicas do their work; None for what does not stay running."""
        if self.role not in _LONG_RUNNING:
            return None
        return self.workload.ready if self.workload is not None else 0

    @property
    def state(self) -> str:
        """The one word for it."""
        return state_word(
            role=str(self.role),
            broken=self.known.app is None,
            forge=self.forge_state,
            live=self.live is not None,
            wanted=self.wanted or 0,
            ready=self.ready or 0,
            paused=self.schedule is not None and self.schedule.paused_at is not None,
            off=self.schedule is not None and self.schedule.next_due is None,
        )


@dataclass(frozen=True)
class Chosen:
    """Which apps a list is about: of all that fit, the first `at_most` whose names come after `after`."""

    role: Role | None = None
    core: bool | None = None
    hidden: bool = False
    reach: Reach = None
    after: str = ""
    at_most: int | None = None


def known(tx: Tx, apps_dir: Path | None, chosen: Chosen) -> tuple[KnownApp, ...]:
    """Lists the apps that are chosen, by name, without asking how they stand."""
    behind = select(t.App).where(t.App.name.collate("C") > chosen.after)
    rows: dict[str, Row] = {row["name"]: row for row in tx.execute(behind).mappings()}
    files = {file.name: file for file in spec_files.read(apps_dir)}
    names = [name for name in sorted(rows.keys() | files.keys()) if _reached(name, chosen)]
    uploads = sources.newest(tx, names)
    found = (_known(name, rows.get(name), files.get(name), uploads.get(name)) for name in names)
    return tuple(islice((app for app in found if _wanted(app, chosen)), chosen.at_most))


def _reached(name: str, chosen: Chosen) -> bool:
    return name > chosen.after and (chosen.reach is None or name in chosen.reach)


def _wanted(app: KnownApp, chosen: Chosen) -> bool:
    spec = app.spec
    if spec is None:
        return chosen.role is None and not chosen.core
    shown = chosen.hidden or spec.deploy
    return shown and chosen.role in (None, spec.role) and chosen.core in (None, spec.core)


def _known(name: str, row: Row | None, file: SpecFile | None, upload: Upload | None) -> KnownApp:
    directory = file.directory if file is not None else None
    try:
        app = combine(name, row, file, upload)
    except SpecInvalid as error:
        return KnownApp(name, row, None, directory, error.mistakes)
    except NornError as error:
        mistake = Mistake(str(directory or name), 1, 1, "app", error.sentence, error.hint)
        return KnownApp(name, row, None, directory, (mistake,))
    return KnownApp(name, row, app, directory, (), (*notices(app.spec), *_gone(app)))


def _gone(app: FoundApp) -> tuple[str, ...]:
    if app.from_directory or app.row is None or app.row["source"] != "directory":
        return ()
    return (f"its directory {app.origin} is not in NORN_APPS_DIR any more",)


def seen(tx: Tx, apps: tuple[KnownApp, ...]) -> tuple[SeenApp, ...]:
    """Answers how these apps stand, with one query per kind of thing."""
    names = tuple(app.name for app in apps)
    live, last = deployments.live_of(tx, names), deployments.newest_of(tx, names)
    running, workloads = jobs_read.running_of(tx, names), _workloads(tx, names)
    plans, ticks = schedules_read.of(tx, names), schedules_read.last_ticks(tx, names)
    ports, troubles = _ports(tx, names), alerts.open_of(tx, names)
    return tuple(
        SeenApp(
            app,
            live=live.get(app.name),
            last_deployment=last.get(app.name),
            running_job=running.get(app.name),
            schedule=plans.get(app.name),
            tick=ticks.get(app.name),
            workload=workloads.get(app.name),
            port=ports.get(app.name, (None, None))[0],
            port_error=ports.get(app.name, (None, None))[1],
            alerts=troubles.get(app.name, ()),
        )
        for app in apps
    )


def one(tx: Tx, apps_dir: Path | None, name: str) -> SeenApp:
    """Answers how one app stands; raises AppNotFound."""
    row = tx.execute(select(t.App).where(t.App.name == name)).mappings().one_or_none()
    file = spec_files.find(apps_dir, name)
    if row is None and file is None:
        raise no_such_app(name)
    return seen(tx, (_known(name, row, file, sources.newest(tx, [name]).get(name)),))[0]


def _workloads(tx: Tx, names: tuple[str, ...]) -> dict[str, Workload]:
    w = t.WorkloadRow
    rows = tx.execute(select(w.app, w.wanted, w.ready, w.replicas, w.message, w.seen_at).where(w.app.in_(names)))
    return {row.app: Workload(row.wanted, row.ready, tuple(row.replicas), row.message, row.seen_at) for row in rows}


def _ports(tx: Tx, names: tuple[str, ...]) -> dict[str, tuple[int, str | None]]:
    a = t.Address
    rows = tx.execute(select(a.app, a.port, a.error).where(a.app.in_(names)))
    return {row.app: (row.port, row.error) for row in rows}
