"""The steps of an app's shared services: a part of a server, such as a database, is reserved and then created, and the
app gets its credential as a secret. A teardown keeps the parts, unless it purges.
"""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.domain.errors import NornError, Stopped
from norn_tasks.domain.infraspec import Infraspec, RuntimeName
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.secret import Sealed, Secret, current
from norn_tasks.domain.services import Grant, GrantedPart, ServiceKind, described
from norn_tasks.ports import ServiceRecords
from norn_tasks.steps.services.snapshot import drop, not_here
from norn_tasks.steps.step import Step, StepContext


class ProvisionServices(Step):
    """Creates the parts of shared services that the infraspec names. With `fresh`, they get new passwords.

    Each part is reserved before it exists, and its credential is stored before it is set on a server. So a worker that
    dies in between leaves no part without a row, and the next worker continues with the same password. Before a
    credential is stored, its server is checked; if the server then refuses the credential, the earlier one is stored
    again. An object store chooses the secret itself; there, a key that was not stored is removed when the next one is
    created.

    The live release uses these credentials too, and may have an older spec. So they keep the rights on all parts that
    the app has.
    """

    name = "provision-services"

    def __init__(self, *, fresh: bool = False) -> None:
        self._fresh = fresh
        self._given: dict[str, Secret] = {}
        """The credentials that an earlier try of this job created, which the next try uses again."""
        self._made: set[str] = set()
        """The names of the credentials that are already set on a server."""

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app that asks for no services."""
        return None if spec.services.grants() else "no services asked for"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note about the app's parts, and all of its secrets if a credential is new."""
        grants, app = context.spec.services.grants(), context.job.app
        records, fence, stop = context.tools.records, context.watch.fence, context.watch.stop
        before = self._known(context, current(context.job.sealed))
        known = self._given or ({} if self._fresh else before)
        records.reserve(app, grants, fence)
        urls = {grant.kind.variable: self._credential(context, grant, known, before) for grant in grants}
        self._given = urls
        for grant in grants:
            context.tools.services.require(grant.kind, stop)
        new = {name: url for name, url in urls.items() if not _same(url, before.get(name))}
        sealed = records.keep(app, new, fence) if new else None
        self._make(context, urls, {name: before[name] for name in new if name in before})
        return Learned(sealed=sealed, note=described(grants))

    def _make(self, context: StepContext, urls: dict[str, Secret], before: dict[str, Secret]) -> None:
        """Creates the parts. If a server refuses, stores the earlier credentials (`before`) again, except those that
        were already replaced on their server.
        """
        app, records, fence = context.job.app, context.tools.records, context.watch.fence
        for grant in context.spec.services.grants():
            name, rights = grant.kind.variable, _widened(records, app, grant)
            try:
                context.tools.services.make(app, rights, urls[name], context.watch.stop)
            except NornError as error:
                if isinstance(error, Stopped):
                    self._made.add(name)  # the server will finish the change that was begun there
                unknown = {each: url for each, url in before.items() if each not in self._made}
                if unknown:
                    records.keep(app, unknown, fence)
                raise
            self._made.add(name)
            records.made(app, grant, fence)

    def _known(self, context: StepContext, sealed: dict[str, Sealed]) -> dict[str, Secret]:
        names = context.spec.services.credentials()
        return {name: context.tools.vault.open(sealed[name]) for name in names if name in sealed}

    def _credential(
        self, context: StepContext, grant: Grant, known: dict[str, Secret], before: dict[str, Secret]
    ) -> Secret:
        cluster = context.tools.clusters.get(context.job.cluster or "")
        on_nodes = cluster is not None and cluster.engine is None
        apart = on_nodes or context.spec.runtime is not RuntimeName.DOCKER
        name = grant.kind.variable
        return context.tools.services.credential(
            context.job.app, grant, known.get(name), context.watch.stop, apart=apart, present=before.get(name)
        )


def _widened(records: ServiceRecords, app: str, grant: Grant) -> Grant:
    """Returns the grant extended to all parts of its kind that the app has; the name of a database is in the credential
    itself.
    """
    if grant.kind is ServiceKind.POSTGRES:
        return grant
    return next(each for each in _grants(records.of_app(app)) if each.kind is grant.kind)


def _same(url: Secret, known: Secret | None) -> bool:
    return known is not None and url.reveal() == known.reveal()


class DeleteServices(Step):
    """Says which shared services are kept or, with `--purge`, removes them with their data."""

    name = "delete-services"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note about the kept or permanently removed parts and snapshots; a topic that another app uses is
        kept.

        The note also names snapshots with files on other machines, because afterwards no row names these files.
        """
        app, records = context.job.app, context.tools.records
        grants, snapshots = tuple(_grants(records.of_app(app))), records.snapshots_of(app)
        if not grants and not snapshots:
            return None
        if not context.purges:
            return Learned(note=f"kept: {_listed(grants, len(snapshots))}; --purge removes them")
        if any(grant.kind is ServiceKind.POSTGRES for grant in grants):
            context.tools.services.tidy(app, context.watch.stop)
        for grant in grants:
            mine = records.leave(app, grant.kind, context.watch.fence)
            context.tools.services.remove(app, Grant(grant.kind, mine), context.watch.stop, last=True)
            records.forget(app, grant, context.watch.fence)
        away = drop(context, snapshots, for_good=True)
        removed = _listed(grants, len(snapshots) - len(away))
        return Learned(note="; ".join(filter(None, (f"removed: {removed}" if removed else "", not_here(away)))))


def _listed(grants: tuple[Grant, ...], snapshots: int) -> str:
    taken = f"{snapshots} snapshot{'s' if snapshots > 1 else ''}" if snapshots else ""
    return ", ".join(filter(None, (described(grants), taken)))


def _grants(parts: tuple[GrantedPart, ...]) -> Iterator[Grant]:
    for kind in ServiceKind:
        names = tuple(part.name for part in parts if part.kind is kind)
        if names:
            yield Grant(kind, names)
