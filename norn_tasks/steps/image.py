"""The image: built once per source and build spec, tested in a container of itself, pruned when no release needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from norn_tasks.domain.deployment import DeploymentState
from norn_tasks.domain.disk import amount
from norn_tasks.domain.errors import TestsFailed, TimedOut
from norn_tasks.domain.execution import ExecutionState, Finished, judge
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.placing import place_of
from norn_tasks.domain.step import Learned
from norn_tasks.domain.writes import ImageBuilt, ImagePublished, ImagesPruned
from norn_tasks.ports import BuildOrder, Image, Run, Runtime
from norn_tasks.steps.step import Context, Step

_INSTANCE = "norn.io/instance"


def build_key(revision: str, spec: Infraspec) -> str:
    """Names an image by what it is made of: source and build spec. Two deploys with one key share one image."""
    made_of = [spec.app, revision, spec.build.dockerfile]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]


def image_tag(app: str, key: str) -> str:
    """Answers the tag under which the engine keeps it."""
    return f"norn/{app}:{key[:12]}"


def _order(context: Context, key: str, tag: str, target: str | None) -> BuildOrder:
    return BuildOrder(
        context=context.workspace / "source",
        dockerfile=context.spec.build.dockerfile,
        tag=tag,
        labels={"norn.io/app": context.job.app, "norn.io/key": key, _INSTANCE: context.tools.limits.instance},
        target=target,
    )


def _ours(context: Context, image: Image) -> bool:
    """True for an image of this control plane: another one on the same engine may have an app of the same name."""
    return image.labels.get(_INSTANCE) == context.tools.limits.instance


class BuildImage(Step):
    """Builds the release's image, unless the engine has one of the same source and build spec."""

    name = "build-image"
    stage = DeploymentState.BUILDING

    def run(self, context: Context) -> Learned | None:
        """Learns `image_id`."""
        key = build_key(context.job.facts["revision"], context.spec)
        tag = image_tag(context.job.app, key)
        image = context.tools.images.find(tag)
        if image is not None and _ours(context, image):
            context.watch.say(f"{tag} is built already: {image.id}\n")
            return self._learned(context, image, tag, key, note="built before")
        image = context.tools.images.build(_order(context, key, tag, None), context.watch)
        return self._learned(context, image, tag, key)

    def _learned(self, context: Context, image: Image, tag: str, key: str, note: str = "") -> Learned:
        engine = _docker(context).identity()
        built = ImageBuilt(tag, image.id, engine, key, image.stages)
        return Learned(facts={"image_id": image.id, "key": key}, writes=(built,), note=note)


def _docker(context: Context) -> Runtime:
    return context.tools.runtimes["docker"]


class TestImage(Step):
    """Runs `build.test` in a hardened container of the built image, or of the stage that `build.testStage` names."""

    __test__ = False
    name = "test-image"
    stage = DeploymentState.TESTING

    def skip_reason(self, spec: Infraspec) -> str | None:
        """An app without a test needs none."""
        return None if spec.build.test else "no build.test"

    def run(self, context: Context) -> Learned | None:
        """Raises TestsFailed when the test ends with anything but 0."""
        if context.job.container is not None:
            _docker(context).remove(context.job.container)
        run = self._run(context, self._image(context))
        ended = _docker(context).run(run, context.hooks, context.watch)
        finished = judge(ended, timeout=run.timeout, memory=run.memory)
        if finished.state is not ExecutionState.SUCCEEDED:
            raise self._failure(finished, run)
        return None

    def _image(self, context: Context) -> str:
        stage = context.spec.build.test_stage
        if stage is None:
            return str(context.job.facts["image_id"])
        key = str(context.job.facts["key"])
        tag = f"{image_tag(context.job.app, key)}-test"
        return context.tools.images.build(_order(context, key, tag, stage), context.watch).id

    def _run(self, context: Context, image: str) -> Run:
        limits, spec = context.tools.limits, context.spec
        return Run(
            name=f"norn-x-t{context.job.id}-{limits.instance}",
            app=context.job.app,
            owner=f"execution:t{context.job.id}",
            image=image,
            argv=("sh", "-c", str(spec.build.test)),
            env=dict(spec.env),
            timeout=limits.test_timeout,
            memory=spec.resources.memory or limits.run_memory,
            cpus=spec.resources.cpu or limits.run_cpus,
            network="bridge",
            writable=spec.container.writable,
            hidden=context.hidden,
        )

    def _failure(self, finished: Finished, run: Run) -> TestsFailed | TimedOut:
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

    def run(self, context: Context) -> Learned | None:
        """Learns `published`, by which every engine has the image from now on; one engine needs no registry."""
        facts, app = context.job.facts, context.job.app
        name = f"norn-{context.tools.limits.instance}/{app}:{facts['key'][:12]}"
        reference = context.tools.images.publish(facts["image_id"], name, context.watch)
        if reference is None:
            return Learned(skipped=True, note="no registry configured: the image stays on this engine")
        published = ImagePublished(reference, place_of(context.spec))
        return Learned(facts={"published": reference}, writes=(published,), note=reference.rpartition("@")[2][:19])


class PruneImages(Step):
    """Removes the app's images that no kept release needs, and what the builder left of their stages.

    Only images that carry the labels of the app and of this control plane. Stages carry none and go by their ids, which
    an app's build can make up: so nothing goes as a stage that has a label or a tag.
    """

    name = "prune-images"
    best_effort = True

    def run(self, context: Context) -> Learned | None:
        """Notes how many it removed. One that was frozen meanwhile removes nothing: what is kept may have changed."""
        keep, images = set(context.job.facts.get("keep_images", ())), context.tools.images
        if not keep:
            return None
        stale = [each for each in images.of_app(context.job.app) if each.id not in keep and _ours(context, each)]
        gone = tuple(image.id for image in stale if self._removed(context, images.remove, image.id))
        for stage in context.job.facts.get("spent_stages", ()):
            self._removed(context, images.remove_stage, stage)
        freed = images.trim_cache()
        if freed:
            context.watch.say(f"the builder's cache was over its limit: {amount(freed)} removed\n")
        return Learned(writes=(ImagesPruned(context.job.app, gone),), note=f"{len(gone)} removed" if gone else "")

    @staticmethod
    def _removed(context: Context, remove: Callable[[str], bool], image: str) -> bool:
        context.watch.stop.check()
        return remove(image)
