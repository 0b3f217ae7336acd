"""The public host name of an app as Norn remembers it, and the results of changes and observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from norn_tasks.domain.tunnel.certificate import Certificate


class RouteState(StrEnum):
    """The state of a public host name."""

    ROUTED = "routed"
    """The rule and the record are there, and lead to the app."""
    NOT_ROUTED = "not routed"
    """The rule or the record was never made, or no request can arrive through the tunnel."""
    DRIFTED = "drifted"
    """Somebody else changed or removed the rule or the record."""


@dataclass(frozen=True)
class ExternalHost:
    """A public host name that belongs to an app, with the rule and the DNS record that Norn made for the name."""

    host: str
    """The name."""
    app: str
    """Its app."""
    service: str | None = None
    """The address to which its rule leads, recorded before the rule is written; None when Norn has made no rule."""
    ruled: bool = False
    """The rule was written, and need not be written again."""
    record: str | None = None
    """Its DNS record, noted here before the record is made; None when Norn has no record for the name."""
    recorded: bool = False
    """The record was made."""
    leaving: bool = False
    """The app has another name now, or no name, so the rule and the record of this name are to be removed."""

    @property
    def empty(self) -> bool:
        """True if Norn has neither a rule nor a DNS record for the name."""
        return self.service is None and self.record is None


@dataclass(frozen=True)
class RouteOutcome:
    """The result of a change at the tunnel or its DNS."""

    changed: bool
    """Something was written."""
    note: str
    """A note for people."""


@dataclass(frozen=True)
class TunnelCheck:
    """One finding about the tunnel itself, such as its token."""

    name: str
    """The thing that was checked."""
    good: bool
    """It works."""
    sentence: str
    """The finding."""
    hint: str = ""
    """The remedy."""


@dataclass(frozen=True)
class SeenRoute:
    """The state of a host name at the last look."""

    host: str
    """The name."""
    state: RouteState
    """Its state."""
    reason: str = ""
    """The reason why it is not routed; or if it is routed, a problem that it has nevertheless."""
    certificate: Certificate | None = None
    """Its certificate at the edge; None behind a tunnel, and as long as there is no certificate."""


@dataclass(frozen=True)
class RulesLook:
    """A look at the tunnel: the findings, the fault of each name's rule, and the reason why no request can arrive."""

    checks: tuple[TunnelCheck, ...]
    faults: Mapping[str, str]
    silent: str = ""


@dataclass(frozen=True)
class RecordsLook:
    """A look at the DNS: the findings, and the fault of each name's record."""

    checks: tuple[TunnelCheck, ...]
    faults: Mapping[str, str]


def seen_route(known: ExternalHost, rules: RulesLook, records: RecordsLook) -> SeenRoute:
    """Returns the state of a name, from its row and the findings of both looks."""
    if known.leaving:
        return SeenRoute(known.host, RouteState.NOT_ROUTED, "its rule and record are about to be removed")
    if not known.ruled or not known.recorded:
        missing = "the tunnel's rule" if not known.ruled else "the DNS record"
        return SeenRoute(known.host, RouteState.NOT_ROUTED, f"{missing} was not made; norn forge {known.app}")
    faults = [fault for found in (rules, records) if (fault := found.faults.get(known.host))]
    if faults:
        return SeenRoute(known.host, RouteState.DRIFTED, f"{'; '.join(faults)}; norn forge {known.app} mends it")
    if rules.silent:
        return SeenRoute(known.host, RouteState.NOT_ROUTED, rules.silent)
    return SeenRoute(known.host, RouteState.ROUTED)
