"""Finds configuration to which a container refers, but which does not exist or is refused by the node."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.adapters.kubernetes.assess.messages import read, reading
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

CONFIGURATION = (
    reading(
        r"failed to sync (?P<what>secret|configmap) cache",
        Cause.CACHE_BEHIND,
        "the node has not yet read the {what}s that {container} needs",
    ),
    reading(
        r"couldn't find key (?P<key>\S+) in Secret \S*?(?P<name>[^/\s]+)\s*$",
        Cause.SECRET_KEY_MISSING,
        'the secret "{name}" has no key "{key}", which {container} needs',
    ),
    reading(
        r"couldn't find key (?P<key>\S+) in ConfigMap \S*?(?P<name>[^/\s]+)\s*$",
        Cause.CONFIG_MAP_KEY_MISSING,
        'the ConfigMap "{name}" has no key "{key}", which {container} needs',
    ),
    reading(
        r"references non-existent secret key: (?P<key>\S+)",
        Cause.SECRET_KEY_MISSING,
        'a secret has no key "{key}", which {container} needs as a file',
    ),
    reading(
        r"references non-existent config key: (?P<key>\S+)",
        Cause.CONFIG_MAP_KEY_MISSING,
        'a ConfigMap has no key "{key}", which {container} needs as a file',
    ),
    reading(
        r'secrets? "(?P<name>[^"]+)" (?:is )?(?:not found|forbidden)',
        Cause.SECRET_MISSING,
        'the secret "{name}", which {container} needs, does not exist',
    ),
    reading(
        r'configmaps? "(?P<name>[^"]+)" (?:is )?(?:not found|forbidden)',
        Cause.CONFIG_MAP_MISSING,
        'the ConfigMap "{name}", which {container} needs, does not exist',
    ),
    reading(
        r"runAsNonRoot",
        Cause.RUNS_AS_ROOT,
        'the image "{image}" runs as root or as a user without a number, and {container} must not',
    ),
)
"""Messages about secrets, ConfigMaps and users."""


def bad_configuration(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the containers of new pods that do not get the configuration that they refer to."""
    for pod in seen.unready:
        for container in pod.containers:
            if container.waiting != "CreateContainerConfigError":
                continue
            names = {"container": container.label, "image": container.image}
            message = container.waiting_message
            cause, sentence = read(message, CONFIGURATION, **names) or read(message, _OTHER, **names) or _UNSAID
            yield RolloutTrouble(cause, sentence, pod.name, pod.since, reason=container.waiting)


_OTHER = (reading(r".", Cause.BAD_CONFIGURATION, "{container} has a configuration that the node refuses: {said}"),)
_UNSAID = (Cause.BAD_CONFIGURATION, "the node refuses the configuration of the container")
