"""Plans: the changes that a forge and a deploy would make, found by comparing the wanted infraspec with what is forged
and live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from norn_tasks.domain.comparing.changes import Part, SpecChange, Verb, changes
from norn_tasks.domain.errors import AppNotFound
from norn_tasks.domain.infraspec import Infraspec, Role
from norn_tasks.domain.jobs.app_status import ForgeState
from norn_tasks.store.apps import internal_names, registry, scale, secrets
from norn_tasks.store.apps.registry import FoundApp
from norn_tasks.store.database.session import Row, Tx
from norn_tasks.store.queue import attention
from norn_tasks.store.releases import forging, releases


@dataclass(frozen=True)
class Blocker:
    """A reason why a forge or a deploy would be refused or fail, with its hint."""

    sentence: str
    hint: str


@dataclass(frozen=True)
class Plan:
    """The changes that a forge and a deploy of an app would make."""

    name: str
    live_release: int | None
    """The number of the live release; None before the first deploy."""
    creates: tuple[tuple[Part, str], ...]
    """The parts that a forge would create because the app is not forged, each with its name."""
    changes: tuple[SpecChange, ...]
    """The fields of the live release that would change, each with the command that changes it."""
    blockers: tuple[Blocker, ...]

    @property
    def changed(self) -> bool:
        """Whether a forge or a deploy of the same source would change anything."""
        return bool(self.creates or self.changes)

    @property
    def makes_release(self) -> bool:
        """Whether a forge would make a release, which must pass the same health test as one of a deploy."""
        return any(change.by is Verb.FORGE for change in self.changes)


def of(tx: Tx, apps_dir: Path | None, name: str, spec: Infraspec | None = None) -> Plan:
    """Returns the plan for the app's registered infraspec, or for `spec` in its place.

    Raises AppNotFound if there is neither, and the other errors of `registry.find`.
    """
    found = _found(tx, apps_dir, name, optional=spec is not None)
    wanted = spec or (found.spec if found else None)
    assert wanted is not None, "an app that is not found raises"
    row = found.row if found else None
    live = releases.live(tx, name)
    forged = row is not None and row["forge_state"] != ForgeState.UNFORGED
    return Plan(
        name,
        live["n"] if live else None,
        () if forged else _creates(wanted),
        _changes(tx, row, live, wanted) if live and row is not None else (),
        _blockers(tx, row, name, wanted),
    )


def _found(tx: Tx, apps_dir: Path | None, name: str, *, optional: bool) -> FoundApp | None:
    try:
        return registry.find(tx, apps_dir, name, registered_only=optional)
    except AppNotFound:
        if optional:
            return None
        raise


def _creates(spec: Infraspec) -> tuple[tuple[Part, str], ...]:
    services = spec.services.model_dump(exclude_none=True)
    made = [
        *((Part.VOLUME, f"volume {volume.name}") for volume in spec.volumes),
        *((Part.SERVICE, f"service {name}") for name in services),
    ]
    if spec.role.long_running:
        made.append((Part.WORKLOAD, f"{spec.replicas} replica{'s' * (spec.replicas != 1)} after the first deploy"))
    if spec.role is Role.WEBSERVER:
        made.append((Part.ROUTE, f"internal name {spec.internal_host}, port {spec.port}"))
    if spec.hosts.external:
        made.append((Part.ROUTE, f"external host {spec.hosts.external}"))
    if spec.schedule:
        made.append((Part.SCHEDULE, f"schedule {spec.schedule} ({spec.timezone})"))
    return tuple(made)


def _changes(tx: Tx, row: Row, live: Row, wanted: Infraspec) -> tuple[SpecChange, ...]:
    """Returns the changes that a forge makes, and those that need a deploy.

    A forge changes nothing if the registered infraspec was not changed after the live release was accepted. A release
    from a repository then keeps the infraspec of its revision.
    """
    found = changes(registry.spec_of(live["spec"]), wanted)
    if not forging.differs(tx, live, wanted):
        found = tuple(change for change in found if change.by is Verb.DEPLOY)
    now, then = scale.wanted_of(row, live["spec"]["replicas"]), scale.wanted_of(row, wanted.replicas)
    scaled = (replace(each, before=str(now), after=str(then)) if each.field == "replicas" else each for each in found)
    return tuple(each for each in scaled if each.before != each.after)


def _blockers(tx: Tx, row: Row | None, name: str, wanted: Infraspec) -> tuple[Blocker, ...]:
    attended, host = attention.pending(tx, name), internal_names.taken(tx, wanted)
    role = registry.new_role(row, wanted, f"norn apply and norn forge {name}")
    refusals = [Blocker(refusal.sentence, refusal.hint) for refusal in (role, attended, host) if refusal is not None]
    unset = sorted(set(wanted.secrets) - {secret.name for secret in secrets.listed(tx, name)})
    missing = (Blocker(f"the secret {each} is not set", f"norn secrets set {name} {each}") for each in unset)
    return (*refusals, *missing)
