"""The keys of Cloudflare Access, with which the API checks the tokens of people whom Access has let in."""

from __future__ import annotations

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import TeamKeysSeen
from norn_tasks.steps.step import Step, StepContext


class FetchAccessKeys(Step):
    """Stores the keys of the team in a row. The API reads this row, and does not use keys that are older than a day."""

    name = "fetch-access-keys"

    def run(self, context: StepContext) -> Learned | None:
        """Stores the keys. If they could not be fetched, stores the reason and keeps the earlier keys."""
        keys = context.tools.team_keys
        if keys is None:
            return Learned(skipped=True, note="no team is configured")
        try:
            found = keys.fetch(context.watch.stop)
        except TunnelFailed as error:
            return Learned(writes=(TeamKeysSeen(keys.issuer, (), error.sentence),), note=error.sentence)
        return Learned(writes=(TeamKeysSeen(keys.issuer, found),), note=f"{len(found)} keys")
