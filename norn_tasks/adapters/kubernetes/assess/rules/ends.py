"""Finds containers that end although they should run: they crash, run out of memory, or finish their work."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.adapters.kubernetes.assess.objects import moment, number, text
from norn_tasks.adapters.kubernetes.assess.patience import MOMENT
from norn_tasks.adapters.kubernetes.assess.pods import PodContainer, SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

ENDS = 3
"""A container that has ended this often counts as crash-looping, even if its node has not reported that yet."""
_SIGNALS = {132: "SIGILL", 134: "SIGABRT", 136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def ended_containers(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields a trouble for each container of a new pod that ended, and for each failed pod without an owner."""
    for pod in seen.unready:
        for container in pod.containers:
            if container.end and not container.well:
                yield _of(pod, container)
            elif container.waiting == "CrashLoopBackOff":
                yield RolloutTrouble(
                    Cause.CRASH_LOOP, f"{container.label} ends again and again", pod.name, reason=container.waiting
                )
    if seen.subject is None:
        yield from _pods_alone(seen)


def _of(pod: SeenPod, container: PodContainer) -> RolloutTrouble:
    code = number(container.end, "exitCode")
    if text(container.end, "reason") == "OOMKilled":
        return RolloutTrouble(Cause.OUT_OF_MEMORY, _out_of_memory(container), pod.name, reason="OOMKilled")
    again = f", {container.ends} times by now" if container.ends > 1 else ""
    if code == 0:
        sentence = f"{container.label} ends by itself with exit code 0{again}, although it should run on"
        return _repeated(pod, container, Cause.EXITS_ZERO, sentence)
    sentence = f"{container.label} exited with code {code}{_signal(code)}{again}{_said(container)}"
    cause = Cause.INIT_FAILED if container.kind == "init container" else Cause.CRASH_LOOP
    return _repeated(pod, container, cause, sentence)


def _repeated(pod: SeenPod, container: PodContainer, cause: Cause, sentence: str) -> RolloutTrouble:
    """Returns the trouble of an ended container. It counts as passing until the container is in a crash loop, or has
    ended at least twice and does not run now.
    """
    looping = container.waiting == "CrashLoopBackOff" or container.ends >= ENDS
    rests = container.ended_now and container.ends > 1
    since = None if looping else moment(container.end, "finishedAt")
    reason = container.waiting or text(container.end, "reason")
    passing = not (looping or rests)
    return RolloutTrouble(cause, sentence, pod.name, since, passing, reason=reason, patience=MOMENT)


def _pods_alone(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the failed pods that have no owner, so that no controller replaces them."""
    for pod in seen.pods:
        if pod.phase == "Failed":
            ended = next((_of(pod, each) for each in pod.containers if each.end and not each.well), None)
            said = text(pod.thing, "status", "message") or text(pod.thing, "status", "reason")
            sentence = ended.sentence if ended and not said else f'pod "{pod.name}" failed{": " * bool(said)}{said}'
            yield RolloutTrouble(ended.cause if ended else Cause.CRASH_LOOP, sentence, pod.name)


def _out_of_memory(container: PodContainer) -> str:
    limit = text(container.spec, "resources", "limits", "memory")
    return f"{container.label} ran out of memory{f' (its limit is {limit})' if limit else ''} and was killed"


def _signal(code: int) -> str:
    return f" ({_SIGNALS[code]})" if code in _SIGNALS else ""


def _said(container: PodContainer) -> str:
    """Returns the last line of the container's termination message; empty if there is none, or if it only says that the
    node found no log.
    """
    message = text(container.end, "message")
    lines = [] if "retrieve container logs" in message else message.splitlines()
    return f": {lines[-1][:200]}" if lines else ""
