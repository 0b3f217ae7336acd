"""Finds images that a node cannot pull."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.messages import brief, read, reading
from norn_tasks.adapters.kubernetes.assess.pods import PodContainer, SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_PULLING = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed")
_FAILED = re.compile(r'Failed to pull image "[^"]*": ')
_BACK_OFF = re.compile(r'\A.*?Back-off pulling image "[^"]*"(?:: \w+)?(?:: )?', re.DOTALL)

_PULLS = (
    reading(
        r"toomanyrequests|too many requests|rate limit",
        Cause.REGISTRY_LIMITS,
        'the registry limits how often the image "{image}" may be pulled: {said}',
    ),
    reading(
        r"(?P<said>dial tcp.*)|no such host|i/o timeout|connection refused|connection reset|tls handshake|x509"
        r"|http: server gave|network is unreachable|deadline exceeded|\bEOF\b|bad gateway|service unavailable"
        r"|internal server error|temporary failure|server misbehaving|RegistryUnavailable",
        Cause.REGISTRY_UNREACHABLE,
        'the node cannot reach the registry of the image "{image}": {said}',
    ),
    reading(
        r"no match(?:ing manifest)? for (?:platform|\w+/)",
        Cause.WRONG_PLATFORM,
        'the image "{image}" is not built for the platform of the node',
    ),
    reading(
        r"does not exist or may require|insufficient_scope|access denied",
        Cause.IMAGE_REFUSED,
        'the registry refuses the image "{image}": it is not there, or it needs a login',
    ),
    reading(
        r"unauthori[sz]ed|authorization failed|authentication required|no basic auth|forbidden|denied",
        Cause.IMAGE_REFUSED,
        'the registry refuses the login for the image "{image}": {said}',
    ),
    reading(
        r"not found|notfound|manifest unknown|name unknown|does not exist",
        Cause.IMAGE_NOT_FOUND,
        'the image "{image}" is not in its registry',
    ),
    reading(r"", Cause.IMAGE_NOT_PULLED, 'the image "{image}" cannot be pulled: {said}'),
)
"""Messages about failed pulls. The name of the image is removed from a message before it is compared."""


def missing_images(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the images that nodes cannot pull for containers of new pods."""
    for pod in seen.unready:
        for container in pod.containers:
            if trouble := _of(pod, container):
                yield trouble


def _of(pod: SeenPod, container: PodContainer) -> RolloutTrouble | None:
    image = container.image
    if container.waiting == "InvalidImageName":
        return RolloutTrouble(
            Cause.INVALID_IMAGE_NAME, f'the image name "{image}" is not valid', pod.name, reason=container.waiting
        )
    if container.waiting == "ErrImageNeverPull":
        where = f'the node "{pod.node}"' if pod.node else "the node"
        sentence = f'the image "{image}" is not on {where}, and its pull policy is Never'
        return RolloutTrouble(Cause.IMAGE_NOT_LOADED, sentence, pod.name, reason=container.waiting)
    if container.waiting not in _PULLING:
        return None
    return _pull(pod, container, _message(pod, container))


def _pull(pod: SeenPod, container: PodContainer, message: str) -> RolloutTrouble:
    image = container.image
    if not message:
        sentence = f'the image "{image}" cannot be pulled'
        return RolloutTrouble(Cause.IMAGE_NOT_PULLED, sentence, pod.name, pod.since, reason=container.waiting)
    found = read(_without(message, image), _PULLS, image=image, said=brief(message))
    cause, sentence = found or (Cause.IMAGE_NOT_PULLED, message)
    return RolloutTrouble(cause, sentence, pod.name, _since(pod, container), reason=container.waiting)


def _message(pod: SeenPod, container: PodContainer) -> str:
    """Returns why the pull failed: the reason in the container's state, or otherwise the reason in an event."""
    stated = _BACK_OFF.sub("", container.waiting_message)
    events = _failures(pod, container)
    if stated:
        return _FAILED.sub("", stated)
    return _FAILED.sub("", events[-1].message) if events else ""


def _since(pod: SeenPod, container: PodContainer) -> datetime | None:
    events = _failures(pod, container)
    return events[0].first if events else pod.since


def _failures(pod: SeenPod, container: PodContainer) -> list[SeenEvent]:
    return [each for each in pod.said("Failed") if each.is_of(container.name) and _FAILED.match(each.message)]


def _without(message: str, image: str) -> str:
    """Returns a message without the name of the image, because that name may contain any word."""
    name, _, _ = image.partition("@")
    shorter = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    for each in filter(None, (image, name, shorter)):
        message = message.replace(each, "_")
    return message
