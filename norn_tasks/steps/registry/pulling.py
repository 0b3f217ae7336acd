"""The image of an app whose infraspec has `image:`. Its tag is resolved to a digest once, and the image is pulled by
this digest.
"""

from __future__ import annotations

import hashlib
import json

from norn_tasks.domain.jobs.deployment import DeploymentState
from norn_tasks.domain.jobs.facts import BuiltImage, PublishedImage, SourceRevision
from norn_tasks.domain.jobs.placement import place_of
from norn_tasks.domain.jobs.requests import DeployJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import ImageBuilt, ImagePublished, SpecLearned
from norn_tasks.domain.sources import image_reference
from norn_tasks.steps.step import Step, StepContext


class ResolveImage(Step):
    """Asks the registry which image a tag points to now. If the tag is moved later, this release does not change."""

    name = "resolve-image"
    stage = DeploymentState.BUILDING

    def run(self, context: StepContext) -> Learned | None:
        """Returns the facts `revision` and `published`, which is the image's reference by digest."""
        wanted = image_reference.parse(context.job.request_as(DeployJobRequest).source.ref or "")
        digest = wanted.digest or context.tools.registry_images.resolve(str(wanted), context.watch)
        revision = image_reference.revision_of(digest)
        context.watch.say(f"{wanted} is {digest}\n")
        return Learned(
            facts=(SourceRevision(revision), PublishedImage(wanted.by_digest(digest))),
            writes=(SpecLearned(context.spec.frozen(), revision),),
            note=revision,
        )


class PullImage(Step):
    """Pulls the image onto the engine, where its test and its replicas use it."""

    name = "pull-image"
    stage = DeploymentState.BUILDING

    def run(self, context: StepContext) -> Learned | None:
        """Returns the fact `image_id`; every engine may pull the image by its digest."""
        reference = context.job.facts.require(PublishedImage).published
        image = context.tools.registry_images.pull(reference, context.job.app, context.watch)
        key = hashlib.sha256(json.dumps([context.job.app, reference]).encode()).hexdigest()[:24]
        cluster = context.tools.clusters.get(context.job.cluster or "")
        apart = cluster is not None and cluster.engine is None
        built = ImageBuilt(reference, image.id, context.image_engine.identity(), key)
        published = ImagePublished(reference, place_of(context.spec, apart=apart))
        return Learned(facts=(BuiltImage(image.id, key),), writes=(built, published))
