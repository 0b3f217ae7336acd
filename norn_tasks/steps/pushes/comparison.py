"""The decision about a push: its commit is deployed if it is the newest of the branch, and if a file that matters to
the app differs.
"""

from __future__ import annotations

import re

from norn_tasks.domain.jobs.requests import PushJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import PushDecided
from norn_tasks.domain.names import FULL_SHA
from norn_tasks.domain.pushes.touched import first_touched
from norn_tasks.steps.step import Step, StepContext

_ASKS, _PAUSE = 11, 2.0
"""How often git is asked while the host does not show the push yet, and the seconds between two tries."""


class ComparePush(Step):
    """Compares the pushed commit with the live release, and requests a deploy of the commit if one is needed."""

    name = "compare-push"

    def run(self, context: StepContext) -> Learned | None:
        """Records the decision. If the request for a deploy is refused, the job fails with the sentence of the
        refusal.
        """
        push = context.job.request_as(PushJobRequest)
        skipped = self._skipped(context, push)
        if skipped:
            return self._decided(context, skipped)
        job = context.tools.deploys.deploy(context.job.app, push.after, context.job.id)
        return self._decided(context, f"job {job} deploys {push.after[:12]}")

    @staticmethod
    def _decided(context: StepContext, outcome: str) -> Learned:
        context.watch.say(f"{outcome}\n")
        return Learned(writes=(PushDecided(outcome),), note=outcome)

    def _skipped(self, context: StepContext, push: PushJobRequest) -> str:
        """Returns the reason not to deploy; empty if the commit should be deployed."""
        newest = self._newest(context, push)
        if newest != push.after:
            now = f"is at {newest[:12]}" if newest is not None else "is gone"
            return f"skipped: {push.branch} {now}, and a later push decides"
        live = context.job.live
        if live is not None and live.revision == push.after:
            return f"skipped: {push.after[:12]} is live"
        return self._untouched(context, push) if push.paths else ""

    @staticmethod
    def _newest(context: StepContext, push: PushJobRequest) -> str | None:
        """Returns the commit that the branch points to.

        A git host with replicas may report a push before all of them have it. While the branch still points to the
        commit before the push, git is asked again, because no later push would deploy this commit.
        """
        for _ in range(_ASKS - 1):
            newest = context.tools.git.newest(push.url, push.branch, context.watch)
            if newest != push.before:
                return newest
            context.watch.say(f"{push.branch} does not show the push yet; asking again in {_PAUSE:g} s\n")
            context.watch.stop.wait(_PAUSE)
            context.watch.stop.check()
        return context.tools.git.newest(push.url, push.branch, context.watch)

    def _untouched(self, context: StepContext, push: PushJobRequest) -> str:
        """Returns the reason not to deploy if no file that matters differs; otherwise an empty text.

        If the commits cannot be compared, the new one is deployed.
        """
        live = context.job.live
        if live is None:
            return ""
        before = live.revision if re.fullmatch(FULL_SHA, live.revision or "", re.ASCII) else push.before
        if before is None:
            return ""
        found = context.tools.git.difference(push.url, before, push.after, context.watch)
        if found.paths is None:
            context.watch.say(f"{before[:12]} and {push.after[:12]} cannot be compared: {found.because}\n")
            return ""
        touched = first_touched(push.paths, found.paths)
        context.watch.say(f"{len(found.paths)} files differ from {before[:12]}; of repo.paths: {touched or 'none'}\n")
        return "" if touched else f"skipped: no file of repo.paths differs from {before[:12]}"
