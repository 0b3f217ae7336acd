"""A poll: asks for the newest commits of branches whose repositories have no webhook."""

from __future__ import annotations

from norn_tasks.domain.errors import SecretsLocked, StepFailed
from norn_tasks.domain.jobs.requests import PolledBranch, PollJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import BranchSeen
from norn_tasks.steps.step import Step, StepContext


class AskRepositories(Step):
    """Asks git for the newest commit of each branch, without fetching it; the status of apps shows the result."""

    name = "ask-repositories"

    def run(self, context: StepContext) -> Learned | None:
        """Records the results. If one repository cannot be read, the others are still asked."""
        asked = context.job.request_as(PollJobRequest).branches
        seen = tuple(self._seen(context, branch) for branch in asked)
        silent = sum(1 for each in seen if each.error)
        return Learned(writes=seen, note=f"{silent} of {len(seen)} could not be read" if silent else "")

    @staticmethod
    def _seen(context: StepContext, asked: PolledBranch) -> BranchSeen:
        context.watch.stop.check()
        try:
            newest = context.tools.git.newest(asked.url, asked.branch, context.watch)
        except (StepFailed, SecretsLocked) as error:
            context.watch.say(f"{error.sentence}\n")
            return BranchSeen(asked.repository, asked.branch, None, error.sentence)
        return BranchSeen(asked.repository, asked.branch, newest)
