"""The lines of containers, kept after the containers are gone.

The adapter of each cluster writes lines in batches. A batch includes the position up to which its container, pod or
instance has been read, and the adapter continues from the last position.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from norn_tasks.domain.app_logs.lines import LineBatch, LogOrigin, LogQuestion, Position, TakeLines
from norn_tasks.domain.redaction import Redaction
from norn_tasks.ports.watch import Stop


class KeptLogs(Protocol):
    """Keeps lines, bounded by bytes for each app and by age, and finds them."""

    def collects(self, cluster: str) -> bool:
        """Returns True if the lines of this cluster's replicas are kept here."""

    def position(self, app: str, container: str) -> Position:
        """Returns how far a container was read; an empty position if nothing of it was kept."""

    def keep(self, app: str, origin: LogOrigin, batch: LineBatch) -> None:
        """Keeps lines of a container with its position, or raises DiskFull and keeps neither."""

    def forget_container(self, app: str, origin: LogOrigin) -> None:
        """Forgets the position of a container that no longer exists."""

    def containers(self, app: str) -> tuple[str, ...]:
        """Returns the containers of the app whose position is known."""

    def origins(self, app: str) -> frozenset[LogOrigin]:
        """Returns the containers of which lines are kept."""

    def read(
        self, app: str, question: LogQuestion, take: TakeLines, follow: Stop | None = None, stop: Stop | None = None
    ) -> None:
        """Passes the requested lines to `take`, ordered by time; with `follow`, then new lines until that stop is set.

        Raises InvalidRequest for an invalid expression, and Stopped if `stop` is set while it searches.
        """

    def forget(self, app: str) -> int:
        """Deletes everything that is kept of an app; returns the number of bytes."""

    def apps(self) -> tuple[str, ...]:
        """Returns the apps of which something is kept."""

    def trim(self) -> None:
        """Deletes lines that are too old, and the oldest lines of an app that has too many bytes of them."""

    def trouble(self, cluster: str) -> str:
        """Returns why lines of this cluster's replicas are not kept at this moment; empty while they are."""

    def collector(self, cluster: str, wait: float) -> AbstractContextManager[bool]:
        """Makes this the only process of the machine that collects lines of this cluster's replicas.

        Yields False if another process still does so after `wait` seconds.
        """

    def reader(self, app: str, container: str, wait: float) -> AbstractContextManager[bool]:
        """Makes this the only reader of a container; yields False if another one still reads after `wait` seconds."""


class Hiding(Protocol):
    """The values that must be hidden in an app's lines before they are kept."""

    def of(self, app: str) -> Redaction:
        """Returns the values to hide; raises SecretsLocked if one cannot be opened, DatabaseDown if none are known."""
