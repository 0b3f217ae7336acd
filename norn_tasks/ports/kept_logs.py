"""The port that stores log lines of containers longer than the containers exist.

The adapter of each cluster writes lines in batches. A batch includes the position up to which its container, pod or
instance was read, and the adapter continues from there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from norn_tasks.domain.app_logs.lines import LineBatch, LogOrigin, LogQuestion, Position, TakeLines
from norn_tasks.domain.redaction import Redaction
from norn_tasks.ports.watch import Stop


class KeptLogs(Protocol):
    """Stores lines, and searches them. The bytes of each app and the age of lines are limited."""

    def collects(self, cluster: str) -> bool:
        """Returns True if the lines of this cluster's replicas are stored here."""

    def position(self, app: str, container: str) -> Position:
        """Returns how far a container's log was read; an empty position if none of it was stored."""

    def keep(self, app: str, origin: LogOrigin, batch: LineBatch) -> None:
        """Stores lines of a container and its new position; or raises DiskFull and stores neither."""

    def forget_container(self, app: str, origin: LogOrigin) -> None:
        """Deletes the position of a container that no longer exists."""

    def containers(self, app: str) -> tuple[str, ...]:
        """Returns the containers of the app whose position is known."""

    def origins(self, app: str) -> frozenset[LogOrigin]:
        """Returns the containers of which lines are stored."""

    def read(
        self, app: str, question: LogQuestion, take: TakeLines, follow: Stop | None = None, stop: Stop | None = None
    ) -> None:
        """Passes the requested lines to `take`, in order of time. If `follow` is given, it then passes new lines until
        that stop is set.

        Raises InvalidRequest for an invalid expression, and Stopped if `stop` is set while it searches.
        """

    def forget(self, app: str) -> int:
        """Deletes everything that is stored of an app; returns the number of bytes."""

    def apps(self) -> tuple[str, ...]:
        """Returns the apps of which something is stored."""

    def trim(self) -> None:
        """Deletes lines that are too old, and the oldest lines of an app that has too many bytes."""

    def trouble(self, cluster: str) -> str:
        """Returns why lines of this cluster's replicas are not kept at this moment; empty while they are."""

    def collector(self, cluster: str, wait: float) -> AbstractContextManager[bool]:
        """Makes this the only process of the machine that collects lines of this cluster's replicas.

        Yields False if another process still does so after `wait` seconds.
        """

    def reader(self, app: str, container: str, wait: float) -> AbstractContextManager[bool]:
        """Makes this the only reader of a container; yields False if another one still reads after `wait` seconds."""


class Hiding(Protocol):
    """The values that must be hidden in an app's lines before the lines are stored."""

    def of(self, app: str) -> Redaction:
        """Returns the values to hide; raises SecretsLocked if one cannot be decrypted, DatabaseDown if they cannot be
        read.
        """
