"""The steps that fetch the source into a private directory of this machine, and that delete it at the end."""

from __future__ import annotations

from pathlib import Path

from norn_tasks import trees
from norn_tasks.domain.errors import SourceError
from norn_tasks.domain.functions.opening import open_to_anyone
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.infraspec.words import Auth
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.facts import BuiltImage, PublishedImage, SourceRevision
from norn_tasks.domain.jobs.requests import DeployJobRequest, DirectorySource, GitSource, UploadSource
from norn_tasks.domain.jobs.step import Learned, Resume
from norn_tasks.domain.jobs.writes import SpecLearned
from norn_tasks.ports import Checkout
from norn_tasks.steps.sources.specs import spec_in
from norn_tasks.steps.step import Step, StepContext


class CloneSource(Step):
    """Fetches the revision and reads its infraspec, which applies to the rest of the deploy."""

    name = "clone-source"
    resume = Resume.REDO
    stage = DeploymentState.BUILDING

    def run(self, context: StepContext) -> Learned | None:
        """Leaves the source in `<workspace>/source`, unless nothing needs to be built from it."""
        if not self._is_needed(context):
            return None
        checkout = self._checkout(context)
        self._require_same(context, checkout.revision)
        spec = self._allowed(context, spec_in(checkout.path, context.spec))
        context.watch.say(f"revision {checkout.revision}\n")
        return Learned(
            facts=(SourceRevision(checkout.revision),),
            writes=(SpecLearned(spec.frozen(), checkout.revision),),
            note=checkout.revision[:12],
        )

    @staticmethod
    def _is_needed(context: StepContext) -> bool:
        """Returns True if the image is not built yet, or if its test stage is not built and the source is not on this
        machine.
        """
        facts, source = context.job.facts, context.workspace / "source"
        if facts.get(BuiltImage) is None:
            return True
        return context.spec.build.test_stage is not None and facts.get(PublishedImage) is None and not source.is_dir()

    @staticmethod
    def _require_same(context: StepContext, revision: str) -> None:
        built = context.job.facts.get(SourceRevision) if context.job.facts.get(BuiltImage) is not None else None
        if built is not None and built.revision != revision:
            raise SourceError(
                f"the source has changed since the image was built of {built.revision[:12]}", hint="deploy it again"
            )

    def _checkout(self, context: StepContext) -> Checkout:
        into = context.workspace / "source"
        trees.remove(into)
        into.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = context.job.request_as(DeployJobRequest).source
        if isinstance(source, GitSource):
            before = context.job.facts.get(SourceRevision)
            ref = before.revision if before is not None else source.ref
            return context.tools.git.checkout(source.url, ref, into, context.watch)
        if isinstance(source, UploadSource):
            return context.tools.sources.checkout(context.job.app, source.revision, into, context.watch)
        assert isinstance(source, DirectorySource), "an image has no source to check out"
        return context.tools.directories.checkout(Path(source.origin), into, context.watch)

    @staticmethod
    def _allowed(context: StepContext, spec: Infraspec) -> Infraspec:
        """Returns the infraspec; raises Forbidden if it lets anyone call the function and the sender may not allow
        that.
        """
        if spec.function.auth is Auth.NONE and not context.job.request_as(DeployJobRequest).may_open:
            raise open_to_anyone(spec.app)
        return spec


class DiscardSource(Step):
    """Removes the job's private directory, no matter how the job ended."""

    name = "discard-source"
    best_effort = True
    resume = Resume.REDO
    always = True

    def run(self, context: StepContext) -> Learned | None:
        """Removes the directory."""
        trees.remove(context.workspace)
        return None
