"""The observation of apps' databases: their sizes and connections."""

from __future__ import annotations

from norn_tasks.domain.errors import NoService, ServiceDown
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import DatabasesSeen
from norn_tasks.steps.step import Step, StepContext


class LookAtDatabases(Step):
    """Reads the size and the number of connections of every database that apps have."""

    name = "look-at-databases"
    patient = False

    def run(self, context: StepContext) -> Learned | None:
        """Records the figures. A database that is not on the server keeps its last figures."""
        names = context.tools.records.databases()
        if not names:
            return Learned(skipped=True, note="no app has a database")
        try:
            found = context.tools.services.databases(names, context.watch.stop)
        except (NoService, ServiceDown) as error:
            return Learned(skipped=True, note=error.sentence)
        return Learned(writes=(DatabasesSeen(found),))
