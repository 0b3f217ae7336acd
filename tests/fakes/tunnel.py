"""Public names in memory: names of apps, rules of a Cloudflare tunnel, DNS records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from norn_tasks.domain.errors import HostTaken
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.tunnel.certificate import Certificate
from norn_tasks.domain.tunnel.external_host import (
    ExternalHost,
    RecordsLook,
    RouteOutcome,
    RouteState,
    RulesLook,
    SeenRoute,
)
from norn_tasks.ports import Stop, Watch, WriteTurn


class _Kept:
    """A lock that is never lost."""

    def keep(self) -> None:
        """Does nothing."""


@dataclass
class FakeExternalHosts:
    """A fake of `ports.ExternalHosts`. Tests read `there`: rows by name. `given` is the lock that a job gets."""

    there: dict[str, ExternalHost] = field(default_factory=dict)
    given: WriteTurn = field(default_factory=_Kept)

    @contextmanager
    def turn(self, watch: Watch) -> Iterator[WriteTurn]:
        """Gives the lock immediately."""
        yield self.given

    def claim(self, app: str, host: str, fence: Fence) -> None:
        """Gives the name to the app."""
        known = self.there.get(host, ExternalHost(host, app))
        if known.app != app:
            raise HostTaken(host, known.app, public=True)
        for each in self.of_app(app):
            self.there[each.host] = replace(each, leaving=True)
        self.there[host] = replace(known, leaving=False)

    def release(self, app: str, fence: Fence) -> None:
        """Marks all names of the app as leaving."""
        for each in self.of_app(app):
            self.save(replace(each, leaving=True), fence)

    def of_app(self, app: str) -> tuple[ExternalHost, ...]:
        """Lists the names of an app."""
        return tuple(each for each in self.all() if each.app == app)

    def all(self) -> tuple[ExternalHost, ...]:
        """Lists all names."""
        return tuple(self.there[host] for host in sorted(self.there))

    def due_at_edge(self) -> tuple[ExternalHost, ...]:
        """Lists all names that are not leaving."""
        return tuple(each for each in self.all() if not each.leaving)

    def save(self, host: ExternalHost, fence: Fence) -> None:
        """Saves a name; a leaving name without rule and record is removed."""
        if host.leaving and host.empty:
            self.there.pop(host.host, None)
        else:
            self.there[host.host] = host


@dataclass
class FakeTunnel:
    """A fake of `ports.Tunnel`. Tests read `rules`: services by name."""

    hosts: FakeExternalHosts = field(default_factory=FakeExternalHosts)
    rules: dict[str, str] = field(default_factory=dict)

    def route(self, app: str, host: str, service: str, watch: Watch) -> RouteOutcome:
        """Makes the rule, and removes the rules of the app's other names."""
        self.hosts.claim(app, host, watch.fence)
        self._remove(app, watch)
        changed = self.rules.get(host) != service
        self.rules[host] = service
        self.hosts.save(replace(self.hosts.there[host], service=service, ruled=True), watch.fence)
        return RouteOutcome(changed, f"{host} leads to {service}")

    def unroute(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the rules of the app."""
        self.hosts.release(app, watch.fence)
        return self._remove(app, watch)

    def look(self, stop: Stop) -> RulesLook | None:
        """Reports no deviation."""
        return RulesLook((), {})

    def _remove(self, app: str, watch: Watch) -> RouteOutcome:
        going = [each for each in self.hosts.of_app(app) if each.leaving]
        gone = [each.host for each in going if self.rules.pop(each.host, None) is not None]
        for each in going:
            self.hosts.save(replace(each, service=None, ruled=False), watch.fence)
        return RouteOutcome(bool(gone), f"removed: {', '.join(gone)}" if gone else "")


@dataclass
class FakeDns:
    """A fake of `ports.Dns`. Tests read `records`: the names that point at the tunnel."""

    hosts: FakeExternalHosts = field(default_factory=FakeExternalHosts)
    records: set[str] = field(default_factory=set)

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Makes the record, and removes the records of the app's other names."""
        self._remove(app, watch)
        changed = host not in self.records
        self.records.add(host)
        self.hosts.save(replace(self.hosts.there[host], record="1", recorded=True), watch.fence)
        return RouteOutcome(changed, f"{host} points at the tunnel")

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the records of the app."""
        self.hosts.release(app, watch.fence)
        return self._remove(app, watch)

    def look(self, stop: Stop) -> RecordsLook | None:
        """Reports no deviation."""
        return RecordsLook((), {})

    def _remove(self, app: str, watch: Watch) -> RouteOutcome:
        going = [each for each in self.hosts.of_app(app) if each.leaving and each.host in self.records]
        for each in going:
            self.records.remove(each.host)
            self.hosts.save(replace(each, record=None, recorded=False), watch.fence)
        names = ", ".join(each.host for each in going)
        return RouteOutcome(bool(going), f"removed: the record of {names}" if going else "")


@dataclass
class FakeEdge:
    """A fake of `ports.Edge`: every name leads to this machine and has a certificate."""

    hosts: FakeExternalHosts = field(default_factory=FakeExternalHosts)

    def admit(self, app: str, host: str, watch: Watch) -> SeenRoute | None:
        """Gives the name to the app."""
        self.hosts.claim(app, host, watch.fence)
        return self.look(host)

    def look(self, host: str) -> SeenRoute | None:
        """Returns a route that has a certificate."""
        now = datetime.now(UTC)
        return SeenRoute(host, RouteState.ROUTED, "", Certificate("fake", now, now + timedelta(days=1)))
