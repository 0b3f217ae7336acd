"""The port for requests from the internet: a tunnel's rules, the DNS records that point at it, and Norn's rows about
both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.tunnel.external_host import (
    ExternalHost,
    RecordsLook,
    RouteOutcome,
    RulesLook,
    SeenRoute,
)
from norn_tasks.domain.tunnel.team_keys import TeamKey
from norn_tasks.ports.watch import Stop, Watch


class WriteTurn(Protocol):
    """The right to change the tunnel; only one job at a time has it."""

    def keep(self) -> None:
        """Extends the turn by some seconds; raises LeaseLost or DatabaseDown if it was lost."""


class ExternalHosts(Protocol):
    """The public host names of apps as rows; a change raises LeaseLost if the job's token is no longer valid."""

    def turn(self, watch: Watch) -> AbstractContextManager[WriteTurn]:
        """Waits until no other job changes the tunnel. Until the end of the block, other jobs wait."""

    def claim(self, app: str, host: str, fence: Fence) -> None:
        """Gives the name to the app, and marks the app's other names for removal; raises HostTaken if another app has
        the name.
        """

    def release(self, app: str, fence: Fence) -> None:
        """Marks all names of the app for removal."""

    def of_app(self, app: str) -> tuple[ExternalHost, ...]:
        """Returns the names of an app, including names that are marked for removal."""

    def all(self) -> tuple[ExternalHost, ...]:
        """Lists the names of all apps."""

    def due_at_edge(self) -> tuple[ExternalHost, ...]:
        """Returns the names for which another observation is due."""

    def save(self, host: ExternalHost, fence: Fence) -> None:
        """Stores the rule and the record that a name has or will get; deletes a name that is marked for removal and has
        neither.
        """


class Tunnel(Protocol):
    """The rules of the tunnel. Only rules for names that have a row are changed; a change may be repeated.

    Raises TunnelFailed with the reason that the tunnel's provider gives, or if another owner's rule exists.
    """

    def route(self, app: str, host: str, service: str, watch: Watch) -> RouteOutcome:
        """Points the name at the service, and removes the rules of the app's other names; raises HostTaken."""

    def unroute(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the rules of all names of the app."""

    def look(self, stop: Stop) -> RulesLook | None:
        """Observes the tunnel; returns None without a tunnel. A missing answer is a finding, not an error."""


class Dns(Protocol):
    """The DNS records that point host names at the tunnel. Only records that Norn made are changed.

    Raises TunnelFailed with the reason that the zone's provider gives, or if another owner's record exists.
    """

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Points the name at the tunnel, and removes the records of the app's other names."""

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the records of all names of the app; the note lists the records that could not be removed."""

    def look(self, stop: Stop) -> RecordsLook | None:
        """Observes the records; returns None without a tunnel. A missing answer is a finding, not an error."""


class Edge(Protocol):
    """The HTTPS server for public host names on this machine, which also gets their certificates. A call may be
    repeated.

    If a name does not lead here or gets no certificate, that is a finding and not an error.
    """

    def admit(self, app: str, host: str, watch: Watch) -> SeenRoute | None:
        """Assigns the name to the app and gets its certificate; raises HostTaken. Returns None without an edge."""

    def look(self, host: str) -> SeenRoute | None:
        """Returns whether the name leads to this server, and its certificate; None without an edge."""


class TeamKeys(Protocol):
    """The keys with which Cloudflare Access signs the tokens of a team."""

    issuer: str
    """The address that issues the tokens."""

    def fetch(self, stop: Stop) -> tuple[TeamKey, ...]:
        """Returns the keys that are valid now; raises TunnelFailed."""
