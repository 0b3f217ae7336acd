"""The public host name of an app, as its row describes it, and the results of changes and observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from norn_tasks.domain.tunnel.certificate import Certificate


class RouteState(StrEnum):
    """The state of a public host name."""

    ROUTED = "routed"
    """The rule and the DNS record exist, and lead to the app."""
    NOT_ROUTED = "not routed"
    """The rule or the record was never created, or no request can arrive through the tunnel."""
    DRIFTED = "drifted"
    """Somebody else changed or removed the rule or the record."""


@dataclass(frozen=True)
class ExternalHost:
    """A public host name that belongs to an app, with the rule and the DNS record that Norn made for the name."""

    host: str
    """The host name."""
    app: str
    """The app to which it belongs."""
    service: str | None = None
    """The address to which its rule leads, stored before the rule is written; None if Norn has made no rule."""
    ruled: bool = False
    """True if the rule was written, and need not be written again."""
    record: str | None = None
    """Its DNS record, stored before the record is created; None if Norn has no record for the name."""
    recorded: bool = False
    """True if the record was created."""
    leaving: bool = False
    """True if the app has another name now, or no name, so that the rule and the record of this name must be
    removed.
    """

    @property
    def empty(self) -> bool:
        """True if Norn has neither a rule nor a DNS record for the name."""
        return self.service is None and self.record is None


@dataclass(frozen=True)
class RouteOutcome:
    """The result of a change at the tunnel or its DNS."""

    changed: bool
    """True if something was written."""
    note: str
    """A note for people."""


@dataclass(frozen=True)
class TunnelCheck:
    """One finding about the tunnel itself, such as its token."""

    name: str
    """The thing that was checked."""
    good: bool
    """True if it works."""
    sentence: str
    """The finding, as a sentence."""
    hint: str = ""
    """A hint about a fault, for the operator."""


@dataclass(frozen=True)
class SeenRoute:
    """The state of a host name at the last observation."""

    host: str
    """The name."""
    state: RouteState
    """Its state."""
    reason: str = ""
    """Why it is not routed; if it is routed, a problem that exists nevertheless."""
    certificate: Certificate | None = None
    """Its certificate at the edge; None behind a tunnel, or if it has no certificate yet."""


@dataclass(frozen=True)
class RulesLook:
    """An observation of the tunnel: the findings, the fault of each name's rule, and the reason why no request can
    arrive.
    """

    checks: tuple[TunnelCheck, ...]
    faults: Mapping[str, str]
    silent: str = ""


@dataclass(frozen=True)
class RecordsLook:
    """An observation of the DNS records: the findings, and the fault of each name's record."""

    checks: tuple[TunnelCheck, ...]
    faults: Mapping[str, str]


def seen_route(known: ExternalHost, rules: RulesLook, records: RecordsLook) -> SeenRoute:
    """Returns the state of a name, from its row and the findings of both observations."""
    if known.leaving:
        return SeenRoute(known.host, RouteState.NOT_ROUTED, "its rule and record are about to be removed")
    if not known.ruled or not known.recorded:
        missing = "the tunnel's rule" if not known.ruled else "the DNS record"
        return SeenRoute(known.host, RouteState.NOT_ROUTED, f"{missing} was not made; norn forge {known.app}")
    faults = [fault for found in (rules, records) if (fault := found.faults.get(known.host))]
    if faults:
        return SeenRoute(known.host, RouteState.DRIFTED, f"{'; '.join(faults)}; norn forge {known.app} repairs it")
    if rules.silent:
        return SeenRoute(known.host, RouteState.NOT_ROUTED, rules.silent)
    return SeenRoute(known.host, RouteState.ROUTED)
