"""The keys of Cloudflare Access, which the API needs to recognise the people that Access lets in."""

from __future__ import annotations

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import TeamKeysSeen
from norn_tasks.steps.step import Step, StepContext


class FetchAccessKeys(Step):
    """Fetches the keys of the team; the API reads the row, and admits nobody by keys that are a day old."""

    name = "fetch-access-keys"

    def run(self, context: StepContext) -> Learned | None:
        """Writes the keys, or why there are none; the earlier ones then stay until they are too old."""
        keys = context.tools.team_keys
        if keys is None:
            return Learned(skipped=True, note="no team is configured")
        try:
            found = keys.fetch(context.watch.stop)
        except TunnelFailed as error:
            return Learned(writes=(TeamKeysSeen(keys.issuer, (), error.sentence),), note=error.sentence)
        return Learned(writes=(TeamKeysSeen(keys.issuer, found),), note=f"{len(found)} keys")
