"""Apps with their complete status: the row, the directory, the live release, the schedule, and the last observation."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import select

from norn_tasks.domain.errors import Mistake, NornError, SpecInvalid
from norn_tasks.domain.infraspec import Infraspec, Role, notices
from norn_tasks.domain.jobs.app_status import ForgeState, state_word
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.names import FULL_SHA
from norn_tasks.domain.pushes.repository import repository_of
from norn_tasks.domain.tunnel.external_host import SeenRoute
from norn_tasks.domain.tunnel.maintenance import Maintenance
from norn_tasks.store import tables as t
from norn_tasks.store.alerts import alerts
from norn_tasks.store.alerts.alerts import Alert
from norn_tasks.store.apps import external_hosts, pushes, scale, spec_files, uploads
from norn_tasks.store.apps.pushes import NewestCommit
from norn_tasks.store.apps.registry import FoundApp, Row, combine, no_such_app, spec_of
from norn_tasks.store.apps.spec_files import SpecFile
from norn_tasks.store.apps.uploads import Upload
from norn_tasks.store.cron import schedules_read
from norn_tasks.store.cron.schedules_read import CronSchedule, TickView
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.queue import jobs_read
from norn_tasks.store.releases import deployments_read
from norn_tasks.store.releases.deployments_read import Deployment
from norn_tasks.store.replicas import maintenances
from norn_tasks.store.status import call_figures
from norn_tasks.store.status.call_figures import CallFigures


@dataclass(frozen=True)
class AppRecord:
    """An app that exists. If its infraspec is broken, `mistakes` says why and `app` is None. `directory` is the
    directory with the infraspec.
    """

    name: str
    row: Row | None
    app: FoundApp | None
    directory: Path | None = None
    mistakes: tuple[Mistake, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def spec(self) -> Infraspec | None:
        """The spec that applies; for a broken app, the last valid one."""
        if self.app is not None:
            return self.app.spec
        return spec_of(self.row["written"]) if self.row is not None else None


@dataclass(frozen=True)
class SeenWorkload:
    """The last observation of an app in its cluster."""

    wanted: int
    ready: int
    replicas: tuple[dict[str, Any], ...]
    message: str
    seen_at: datetime


@dataclass(frozen=True)
class AppView:
    """An app and its current state."""

    known: AppRecord
    live: Deployment | None = None
    last_deployment: Deployment | None = None
    running_job: tuple[int, str] | None = None
    schedule: CronSchedule | None = None
    tick: TickView | None = None
    registered_wanted: int | None = None
    """How many replicas the app should have according to its row and its live release; None for an app without
    a row.
    """
    workload: SeenWorkload | None = None
    port: int | None = None
    port_error: str | None = None
    alerts: tuple[Alert, ...] = ()
    external: SeenRoute | None = None
    """Its public host name, and how that is routed; None if it has none."""
    maintenance: Maintenance | None = None
    """Its maintenance; None if it is not in maintenance."""
    newest: NewestCommit | None = None
    """The newest commit of its branch; None for an app without a repository, and before a commit was seen."""
    figures: CallFigures = field(default_factory=CallFigures)
    """The calls of the last hour, if it is a function."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.known.name

    @property
    def role(self) -> Role | None:
        """Its role; None if its spec does not name it."""
        return self.known.spec.role if self.known.spec is not None else None

    @property
    def forge_state(self) -> ForgeState:
        """The state of its infrastructure."""
        return ForgeState(self.known.row["forge_state"]) if self.known.row is not None else ForgeState.UNFORGED

    @property
    def cluster(self) -> str | None:
        """Its cluster; None before its first forge, and for a cron job or a function."""
        return self.known.row["cluster"] if self.known.row is not None else None

    @property
    def address(self) -> str | None:
        """The address that its cluster returned at the last forge; None for an app that is not exposed."""
        return self.known.row["address"] if self.known.row is not None else None

    @property
    def update(self) -> str | None:
        """Returns the newest commit of its branch, if it is newer than the live release; otherwise None.

        None if that commit is live, or if the live release was not made from a commit.
        """
        newest, live = self.newest, self.live
        if newest is None or newest.revision is None or newest.seen_at is None or live is None:
            return None
        made_of_commit = re.fullmatch(FULL_SHA, live.revision or "", re.ASCII) is not None
        return (
            newest.revision
            if made_of_commit and live.revision != newest.revision and newest.seen_at > live.created_at
            else None
        )

    @property
    def wanted(self) -> int | None:
        """How many replicas should run; None for an app that does not stay running."""
        if self.role is None or not self.role.long_running:
            return None
        if self.workload is not None:
            return self.workload.wanted
        if self.registered_wanted is not None:
            return self.registered_wanted
        return self.known.spec.replicas if self.known.spec is not None else None

    @property
    def ready(self) -> int | None:
        """How many replicas do their work; None for an app that does not stay running."""
        if self.role is None or not self.role.long_running:
            return None
        return self.workload.ready if self.workload is not None else 0

    @property
    def state(self) -> str:
        """Its state in one word."""
        return state_word(
            role=str(self.role),
            broken=self.known.app is None,
            forge=self.forge_state,
            live=self.live is not None,
            wanted=self.wanted or 0,
            ready=self.ready or 0,
            paused=self.schedule is not None and self.schedule.paused_at is not None,
            failed=self.last_deployment is not None and self.last_deployment.state == DeploymentState.FAILED,
            off=self.schedule is not None and self.schedule.next_due is None,
            alerts=frozenset(alert.kind for alert in self.alerts),
        )


@dataclass(frozen=True)
class AppFilter:
    """The filter and page of a list of apps: the first `at_most` matches whose names follow the name `after`."""

    role: Role | None = None
    core: bool | None = None
    hidden: bool = False
    reach: Reach = None
    after: str = ""
    at_most: int | None = None


def known(tx: Tx, apps_dir: Path | None, chosen: AppFilter) -> tuple[AppRecord, ...]:
    """Lists the chosen apps by name, without their state."""
    behind = select(t.AppRow).where(t.AppRow.name.collate("C") > chosen.after)
    rows: dict[str, Row] = {row["name"]: row for row in tx.execute(behind).mappings()}
    files = {file.name: file for file in spec_files.read(apps_dir)}
    names = [name for name in sorted(rows.keys() | files.keys()) if _reached(name, chosen)]
    uploaded = uploads.newest(tx, names)
    found = (_known(name, rows.get(name), files.get(name), uploaded.get(name)) for name in names)
    return tuple(islice((app for app in found if _wanted(app, chosen)), chosen.at_most))


def _reached(name: str, chosen: AppFilter) -> bool:
    return name > chosen.after and (chosen.reach is None or name in chosen.reach)


def _wanted(app: AppRecord, chosen: AppFilter) -> bool:
    spec = app.spec
    if spec is None:
        return chosen.role is None and not chosen.core
    shown = chosen.hidden or spec.deploy
    return shown and chosen.role in (None, spec.role) and chosen.core in (None, spec.core)


def _known(name: str, row: Row | None, file: SpecFile | None, upload: Upload | None) -> AppRecord:
    directory = file.directory if file is not None else None
    try:
        app = combine(name, row, file, upload)
    except SpecInvalid as error:
        return AppRecord(name, row, None, directory, error.mistakes)
    except NornError as error:
        mistake = Mistake(str(directory or name), 1, 1, "app", error.sentence, error.hint)
        return AppRecord(name, row, None, directory, (mistake,))
    return AppRecord(name, row, app, directory, (), (*notices(app.spec), *_gone(app)))


def _gone(app: FoundApp) -> tuple[str, ...]:
    if app.from_directory or app.row is None or app.row["source"] != "directory":
        return ()
    return (f"its directory {app.origin} is no longer in NORN_APPS_DIR",)


def seen(tx: Tx, apps: tuple[AppRecord, ...]) -> tuple[AppView, ...]:
    """Returns the states of these apps, with one query for each kind of object."""
    names = tuple(app.name for app in apps)
    live, last = deployments_read.live_of(tx, names), deployments_read.newest_of(tx, names)
    running, workloads = jobs_read.running_of(tx, names), _workloads(tx, names)
    plans, ticks = schedules_read.of(tx, names), schedules_read.last_ticks(tx, names)
    ports, troubles = _ports(tx, names), alerts.open_of(tx, names)
    wanted, routed = scale.wanted_by(tx, names), external_hosts.routes_of(tx, names)
    of_branch = {app.name: branch for app in apps if (branch := _branch(app)) is not None}
    newest = pushes.newest_commits(tx, set(of_branch.values()))
    maintained = maintenances.of(tx, names)
    called = call_figures.of(tx, tuple(app.name for app in apps if app.spec and app.spec.role is Role.FUNCTION))
    return tuple(
        AppView(
            app,
            live=live.get(app.name),
            last_deployment=last.get(app.name),
            running_job=running.get(app.name),
            schedule=plans.get(app.name),
            tick=ticks.get(app.name),
            registered_wanted=wanted.get(app.name),
            workload=workloads.get(app.name),
            port=ports.get(app.name, (None, None))[0],
            port_error=ports.get(app.name, (None, None))[1],
            alerts=troubles.get(app.name, ()),
            external=routed.get(app.name),
            maintenance=maintained.get(app.name),
            newest=newest.get(of_branch[app.name]) if app.name in of_branch else None,
            figures=called.get(app.name, CallFigures()),
        )
        for app in apps
    )


def one(tx: Tx, apps_dir: Path | None, name: str) -> AppView:
    """Returns the state of one app; raises AppNotFound."""
    return seen(tx, (record(tx, apps_dir, name),))[0]


def record(tx: Tx, apps_dir: Path | None, name: str) -> AppRecord:
    """Returns the row and the infraspec of one app, without the twenty queries for its state; raises AppNotFound."""
    row = tx.execute(select(t.AppRow).where(t.AppRow.name == name)).mappings().one_or_none()
    file = spec_files.find(apps_dir, name)
    if row is None and file is None:
        raise no_such_app(name)
    return _known(name, row, file, uploads.newest(tx, [name]).get(name))


def _branch(app: AppRecord) -> pushes.Branch | None:
    """Returns the branch that an app is deployed from."""
    found = app.app
    if found is None or found.source != "git" or found.spec.repo.url is None:
        return None
    return repository_of(found.spec.repo.url), found.spec.repo.branch


def _workloads(tx: Tx, names: tuple[str, ...]) -> dict[str, SeenWorkload]:
    w = t.WorkloadRow
    rows = tx.execute(select(w.app, w.wanted, w.ready, w.replicas, w.message, w.seen_at).where(w.app.in_(names)))
    return {row.app: SeenWorkload(row.wanted, row.ready, tuple(row.replicas), row.message, row.seen_at) for row in rows}


def _ports(tx: Tx, names: tuple[str, ...]) -> dict[str, tuple[int, str | None]]:
    a = t.AddressRow
    rows = tx.execute(select(a.app, a.port, a.error).where(a.app.in_(names)))
    return {row.app: (row.port, row.error) for row in rows}
