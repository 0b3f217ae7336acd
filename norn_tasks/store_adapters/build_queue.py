"""The turns of builds as rows: one build at a time per engine. A job that must wait frees its worker's slot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from norn_tasks.domain.errors import DatabaseDown, Postponed
from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.ports import Watch
from norn_tasks.store.database.session import Database
from norn_tasks.store.queue import builds

POLL_SECONDS = 0.5
"""The seconds between two tries while PostgreSQL is unreachable."""


class BuildQueueRows:
    """Implements `ports.BuildQueue`; `engine` returns the id of the engine that builds, `wake` wakes a class."""

    def __init__(
        self, database: Database, engine: Callable[[], str], wake: Callable[[JobClass], object] = lambda _: None
    ) -> None:
        self._database, self._engine, self._wake = database, engine, wake

    @contextmanager
    def turn(self, watch: Watch, *, keep: bool = False) -> Iterator[None]:
        """Holds the turn inside the block. With `keep`, the job keeps it after the block, until its next turn or the
        job itself ends. Raises Postponed if another build has the turn.
        """
        self._take(watch)
        try:
            yield
        except BaseException:
            self._leave(watch)
            raise
        if not keep:
            self._leave(watch)

    def _take(self, watch: Watch) -> None:
        engine = self._engine()
        while True:
            watch.stop.check()
            try:
                with self._database.transaction() as tx:
                    held = builds.take(tx, engine, watch.fence)
            except DatabaseDown:
                watch.stop.wait(POLL_SECONDS)
                continue
            if held is not None:
                raise Postponed(f"waits for {held}")
            return

    def _leave(self, watch: Watch) -> None:
        """Releases the turn. If the database is unreachable, the turn ends with the job."""
        try:
            with self._database.transaction() as tx:
                builds.leave(tx, watch.fence)
        except DatabaseDown:
            return
        self._wake(JobClass.DEPLOY)
