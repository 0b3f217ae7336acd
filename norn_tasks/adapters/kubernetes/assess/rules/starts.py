"""Finds containers that the runtime cannot start: because the command is not a program, or because a hook fails."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.adapters.kubernetes.assess.messages import brief, read, reading
from norn_tasks.adapters.kubernetes.assess.objects import moment, text
from norn_tasks.adapters.kubernetes.assess.pods import PodContainer, SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_WAITING = ("CreateContainerError", "RunContainerError", "PreStartHookError", "PostStartHookError")
_ENDED = ("StartError", "ContainerCannotRun")

_STARTS = (
    reading(
        r"OOM-killed",
        Cause.OUT_OF_MEMORY,
        "{container} has less memory than its start needs",
    ),
    reading(
        r"exec format error",
        Cause.WRONG_PLATFORM,
        'the program of the image "{image}" is not built for the processor of the node',
    ),
    reading(
        r'exec: \\*"(?P<command>[^"\\]*)\\*":[^:]*:? ?(?P<why>executable file not found|no such file|permission denied'
        r"|is a directory|not a directory)",
        Cause.BAD_COMMAND,
        'the command "{command}" of {container} cannot be started: {why}',
    ),
    reading(
        r'chdir to cwd \(\\*"(?P<command>[^"\\]*)\\*"\)',
        Cause.BAD_COMMAND,
        'the working directory "{command}" of {container} does not exist in the image',
    ),
    reading(
        r"no command specified",
        Cause.BAD_COMMAND,
        'the image "{image}" has no command, and {container} names none',
    ),
    reading(
        r"executable file not found|no such file or directory|permission denied",
        Cause.BAD_COMMAND,
        "the command of {container} cannot be started: {said}",
    ),
)


def failed_starts(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the containers of new pods that could not be started."""
    for pod in seen.unready:
        for container in pod.containers:
            if hook := _hook(pod, container):
                yield hook
            elif container.waiting in _WAITING or text(container.end, "reason") in _ENDED:
                yield _of(pod, container)


def _of(pod: SeenPod, container: PodContainer) -> RolloutTrouble:
    message = _message(pod, container)
    reason = container.waiting if container.waiting in _WAITING else text(container.end, "reason")
    names = {"container": container.label, "image": container.image}
    if found := read(message, _STARTS, **names):
        return RolloutTrouble(*found, pod=pod.name, reason=reason)
    sentence = f"the node cannot start {container.label}: {message or container.waiting}"
    repeated = container.ends >= 2
    return RolloutTrouble(Cause.NOT_STARTED, sentence, pod.name, None if repeated else pod.since, reason=reason)


def _hook(pod: SeenPod, container: PodContainer) -> RolloutTrouble | None:
    """Returns the failed hook for which the node ended the container's last run."""
    message = container.waiting_message if "HookError" in container.waiting else ""
    events = [each for each in pod.said("FailedPostStartHook", "FailedPreStartHook") if each.is_of(container.name)]
    if not message and container.end and not container.running and events:
        last = events[-1] if events[-1].not_before(moment(container.end, "startedAt")) else None
        message = _of_hook(last.message) if last else ""
    if not message and "HookError" not in container.waiting:
        return None
    return RolloutTrouble(
        Cause.HOOK_FAILED, f"a hook of {container.label} failed{f': {brief(message)}' if message else ''}", pod.name
    )


def _of_hook(message: str) -> str:
    """Returns why a hook failed, without the names of its pod and container."""
    return message.partition(" failed - error: ")[2].partition(", message: ")[0] or message


def _message(pod: SeenPod, container: PodContainer) -> str:
    """Returns the runtime's message: from the container's state, from its last end, or from an event."""
    events = [each.message for each in pod.said("Failed") if each.is_of(container.name)]
    stated = container.waiting_message if container.waiting in _WAITING else ""
    return stated or text(container.end, "message") or (events[-1] if events else "")
