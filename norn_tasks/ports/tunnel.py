"""The way in from the internet: a tunnel's rules, the DNS records that point at it, and what Norn remembers of both."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.tunnel.external_host import ExternalHost, RecordsLook, RouteOutcome, RulesLook
from norn_tasks.ports.watch import Stop, Watch


class WriteTurn(Protocol):
    """The right to change the tunnel, which one job at a time has."""

    def keep(self) -> None:
        """Keeps the turn for the next seconds; raises LeaseLost or DatabaseDown if it was lost."""


class ExternalHosts(Protocol):
    """The public host names of apps as rows; a change raises LeaseLost if the job's token is no longer valid."""

    def turn(self, watch: Watch) -> AbstractContextManager[WriteTurn]:
        """Waits until no other job changes the tunnel, and keeps the others waiting inside the block."""

    def claim(self, app: str, host: str, fence: Fence) -> None:
        """Makes the name the app's, and its other names leaving; raises HostTaken if it is another app's."""

    def release(self, app: str, fence: Fence) -> None:
        """Makes all names of the app leaving."""

    def of_app(self, app: str) -> tuple[ExternalHost, ...]:
        """Lists the names of an app, also those that are leaving."""

    def all(self) -> tuple[ExternalHost, ...]:
        """Lists the names of all apps."""

    def save(self, host: ExternalHost, fence: Fence) -> None:
        """Writes what was made, or will be; a name that is leaving and of which nothing is left goes."""


class Tunnel(Protocol):
    """The rules of the tunnel. Only those of names in the rows are changed; a change may be repeated.

    Raises TunnelFailed with the reason of the tunnel's owner, or when a rule of somebody else is there.
    """

    def route(self, app: str, host: str, service: str, watch: Watch) -> RouteOutcome:
        """Leads the name to the service, and removes the rules of the app's other names; raises HostTaken."""

    def unroute(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the rules of all names of the app."""

    def look(self, stop: Stop) -> RulesLook | None:
        """Looks at the tunnel; None without one. A missing answer is a finding, and no error."""


class Dns(Protocol):
    """The DNS records that point names at the tunnel. Only records that Norn made are changed.

    Raises TunnelFailed with the reason of the zone's owner, or when a record of somebody else is there.
    """

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Points the name at the tunnel, and removes the records of the app's other names."""

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the records of all names of the app; the note names what could not be removed."""

    def look(self, stop: Stop) -> RecordsLook | None:
        """Looks at the records; None without a tunnel. A missing answer is a finding, and no error."""
