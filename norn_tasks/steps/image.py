"""The steps of an image: built once per revision and Dockerfile, tested in a container, and removed when no release
needs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection

from norn_tasks.domain.causes import with_cause
from norn_tasks.domain.disk import amount
from norn_tasks.domain.errors import EngineDown, TestsFailed, TimedOut
from norn_tasks.domain.infraspec import Infraspec, Role, RuntimeName
from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.execution import ExecutionState, ExecutionVerdict, judge
from norn_tasks.domain.jobs.facts import BuiltImage, KeptImages, PublishedImage, SourceRevision
from norn_tasks.domain.jobs.placement import place_of
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ImageBuilt, ImagePublished, ImagesPruned
from norn_tasks.ports import BuildOrder, Image, Run
from norn_tasks.steps.environment import environment_of
from norn_tasks.steps.sources.specs import apps_in
from norn_tasks.steps.step import Step, StepContext

_MOST_SHARING = 20
"""The most apps of one source that share builds, because a label of the image lists their names."""


def build_key(revision: str, spec: Infraspec) -> str:
    """Returns the hash of app, revision and Dockerfile path that names an image; the same hash means the same image."""
    made_of = [spec.app, revision, spec.build.dockerfile]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]


def image_tag(app: str, key: str) -> str:
    """Returns the tag that the image has on the engine."""
    return f"norn/{app}:{key[:12]}"


def _order(context: StepContext, key: str, tag: str, target: str | None) -> BuildOrder:
    build = context.spec.build
    return BuildOrder(
        context=context.workspace / "source",
        dockerfile=build.dockerfile,
        tag=tag,
        app=context.job.app,
        key=key,
        instance=context.tools.limits.instance,
        target=target,
        another=target is None and build.test is not None and build.test_stage is not None,
        group=_group(context),
    )


def _group(context: StepContext) -> str:
    """Returns the apps of the source, which share builds, separated by commas; empty for a single app, or for
    too many.
    """
    apps = apps_in(context.workspace / "source")
    return ",".join(apps) if context.job.app in apps and 1 < len(apps) <= _MOST_SHARING else ""


def _ours(context: StepContext, image: Image) -> bool:
    """Returns True if the image belongs to this control plane; another control plane that uses the engine may have an
    app of the same name.
    """
    return image.instance == context.tools.limits.instance


class BuildImage(Step):
    """Builds the release's image, unless the engine has one of the same revision and Dockerfile."""

    name = "build-image"
    stage = DeploymentState.BUILDING

    def run(self, context: StepContext) -> Learned | None:
        """Builds, and returns the fact `image_id`."""
        key = build_key(context.job.facts.require(SourceRevision).revision, context.spec)
        tag = image_tag(context.job.app, key)
        image = context.tools.images.find(tag)
        if image is not None and _ours(context, image):
            context.watch.say(f"{tag} is built already: {image.id}\n")
            return self._learned(context, image, tag, key, note="built before")
        image = context.tools.images.build(_order(context, key, tag, None), context.watch)
        return self._learned(context, image, tag, key)

    def _learned(self, context: StepContext, image: Image, tag: str, key: str, note: str = "") -> Learned:
        built = ImageBuilt(tag, image.id, context.image_engine.identity(), key, image.stages)
        return Learned(facts=(BuiltImage(image.id, key),), writes=(built,), note=note)


class TestImage(Step):
    """Runs `build.test` in a hardened container of the built image, or of the stage that `build.testStage` names."""

    __test__ = False
    name = "test-image"
    stage = DeploymentState.TESTING

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app without a test."""
        return None if spec.build.test else "no build.test"

    def run(self, context: StepContext) -> Learned | None:
        """Raises TestsFailed if the test's exit code is not 0, TimedOut if it took too long."""
        context.remove_recorded()
        run = self._run(context, self._image(context))
        ended = context.runtime.run(run, context.hooks, context.watch)
        finished = with_cause(judge(ended, timeout=run.timeout, memory=run.memory), run.evidence, tests=True)
        if finished.state is not ExecutionState.SUCCEEDED:
            raise self._failure(finished, run)
        return None

    def _image(self, context: StepContext) -> str:
        built, stage = context.job.facts.require(BuiltImage), context.spec.build.test_stage
        if stage is None:
            return built.image_id
        tag = f"{image_tag(context.job.app, built.key)}-test"
        return context.tools.images.build(_order(context, built.key, tag, stage), context.watch).id

    def _run(self, context: StepContext, image: str) -> Run:
        limits, spec = context.tools.limits, context.spec
        return Run(
            name=f"norn-x-t{context.job.id}-{limits.instance}",
            app=context.job.app,
            owner=f"execution:t{context.job.id}",
            image=image,
            argv=("sh", "-c", str(spec.build.test)),
            env=environment_of(context.job),
            timeout=limits.test_timeout,
            memory=spec.resources.memory or limits.run_memory,
            cpus=spec.resources.cpu or limits.run_cpus,
            network="bridge",
            writable=spec.container.writable,
            hidden=context.hidden,
        )

    def _failure(self, finished: ExecutionVerdict, run: Run) -> TestsFailed | TimedOut:
        if finished.state is ExecutionState.TIMED_OUT:
            return TimedOut(
                f"build.test did not end within {run.timeout:g} s", hint="make it quicker, or raise NORN_TEST_TIMEOUT"
            )
        hint = finished.hint
        if finished.ended.exit_code == 127:
            hint = "the command is not in the image: dev dependencies may be missing; see build.testStage"
        return TestsFailed(f"build.test failed: {finished.sentence}", hint=hint)


class PublishImage(Step):
    """Pushes the image to the registry that other engines pull from."""

    name = "publish-image"

    def run(self, context: StepContext) -> Learned | None:
        """Returns the fact `published`, the reference by which every engine can pull the image; skipped if no registry
        is configured.
        """
        built, app = context.job.facts.require(BuiltImage), context.job.app
        name = f"norn-{context.tools.limits.instance}/{app}:{built.key[:12]}"
        reference = context.tools.images.publish(built.image_id, name, context.watch)
        if reference is None:
            return Learned(skipped=True, note="no registry configured: the image stays on this engine")
        cluster = context.tools.clusters.get(context.job.cluster or "")
        apart = cluster is not None and cluster.engine is None
        published = ImagePublished(reference, place_of(context.spec, apart=apart))
        note = reference.rpartition("@")[2][:19]
        return Learned(facts=(PublishedImage(reference),), writes=(published,), note=note)


_IN_PLACE = "its containers use the image where it was built"


class ImportImage(Step):
    """Copies the image to where the app's runs start, if they need a copy, so that the first run does not wait."""

    name = "import-image"

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app whose containers use the image where it was built."""
        runs_elsewhere = spec.runtime is RuntimeName.INCUS or spec.role in (Role.CRON, Role.FUNCTION)
        return None if runs_elsewhere else _IN_PLACE

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that says where the copy is."""
        built = context.job.facts.require(BuiltImage)
        note = context.runtime.prepare(built.image_id, context.job.app, context.watch)
        return Learned(note=note) if note else Learned(skipped=True, note=_IN_PLACE)


class PruneImages(Step):
    """Removes the app's images that no kept release needs, and the images of build stages from which no kept image was
    built.

    Only images that carry the labels of the app and of this control plane are removed. Images of stages carry no labels
    and are removed by their ids. An app's build can print false ids, so an image that has a label or a tag is never
    removed as a stage.
    """

    name = "prune-images"
    best_effort = True

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of removed images. A worker that was frozen and lost its job removes
        nothing.
        """
        kept, images = context.job.facts.get(KeptImages), context.tools.images
        if kept is None or not kept.keep_images:
            return None
        keep = set(kept.keep_images)
        stale = [each for each in images.of_app(context.job.app) if each.id not in keep and _ours(context, each)]
        gone = tuple(image.id for image in stale if _removed(context, images.remove, image.id)) + _dropped(
            context, keep
        )
        silent = _pruned_elsewhere(context, keep)
        for stage in kept.spent_stages:
            _removed(context, images.remove_stage, stage)
        freed = images.trim_cache()
        if freed:
            context.watch.say(f"the builder's cache was over its limit: {amount(freed)} removed\n")
        return Learned(writes=(ImagesPruned(context.job.app, gone),), note=_note(gone, silent))


class RemoveImages(Step):
    """Removes all images of an app that is purged, and the images of build stages left behind by its builds."""

    name = "remove-images"
    best_effort = True

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of removed images; an image that a container still uses stays."""
        app, images = context.job.app, context.tools.images
        mine = [each.id for each in images.of_app(app) if _ours(context, each)]
        gone = tuple(image for image in mine if _removed(context, images.remove, image)) + _dropped(context, set())
        silent = _pruned_elsewhere(context, ())
        for stage in images.stages_of(app):
            _removed(context, images.remove_stage, stage)
        return Learned(writes=(ImagesPruned(app, gone),), note=_note(gone, silent))


def _pruned_elsewhere(context: StepContext, keep: Collection[str]) -> list[str]:
    """Removes the app's images except `keep` from engines that have copies; returns the runtimes that did not
    answer.
    """
    silent = []
    for name, runtime in context.tools.runtimes.items():
        try:
            runtime.prune(context.job.app, keep)
        except EngineDown:
            silent.append(name)
    return silent


def _note(gone: Collection[str], silent: Collection[str]) -> str:
    removed = [f"{len(gone)} removed"] if gone else []
    return "; ".join([*removed, *(f"{each} did not answer: its images stay" for each in silent)])


def _dropped(context: StepContext, keep: set[str]) -> tuple[str, ...]:
    """Stops keeping the app's images that come from registries, except `keep`; returns the ids of the dropped
    images.
    """
    app, images = context.job.app, context.tools.registry_images
    stale = {image.id: image for image in images.of_app(app) if image.id not in keep}
    return tuple(each for each in stale if _removed(context, lambda gone: images.drop(stale[gone], app), each))


def _removed(context: StepContext, remove: Callable[[str], bool], image: str) -> bool:
    context.watch.stop.check()
    return remove(image)
