"""Turns refusals of an API server into Norn's errors, each with a sentence and a hint.

A rollout takes minutes, and must not fail because a few requests get no answer. `patiently` repeats such requests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TypeVar

from norn_tasks.domain.errors import ClusterDown, NornError, StepFailed
from norn_tasks.ports import Watch

T = TypeVar("T")

RIGHTS = "deploy/kubernetes/rbac.yaml has the rights that Norn needs"
_LONGEST = 400
_NOT_NOW = (429, 500, 502, 503, 504)
AWAY = 60.0
"""Seconds for which a rollout waits for an API server that does not answer."""
_PAUSE = 1.0


class ObjectMoved(Exception):
    """Raised when the object is not the one that was read: somebody has changed, removed or created it in between."""


def refusal(status: int, body: bytes, verb: str, what: str) -> Exception:
    """Returns the error for an answer that is not a success: ObjectMoved for a conflict, otherwise one of Norn's
    errors. `verb` and `what` name the request in its sentence.
    """
    message = _message(body)
    if status == 409:
        return ObjectMoved(message)
    return _error(status, message, verb, what)


def patiently(work: Callable[[], T], watch: Watch) -> T:
    """Does the work, and repeats it while the cluster is unreachable; raises ClusterDown after a minute without an
    answer.
    """
    end, said = time.monotonic() + AWAY, ""
    while True:
        try:
            return work()
        except ClusterDown as error:
            if time.monotonic() >= end:
                raise
            if error.sentence != said:
                said = error.sentence
                watch.say(f"{said}; trying again\n")
        watch.stop.wait(_PAUSE)
        watch.stop.check()


def _error(status: int, message: str, verb: str, what: str) -> NornError:
    if status == 401:
        return ClusterDown(
            "the cluster does not accept Norn's credentials",
            hint="NORN_KUBE_CONFIG, NORN_KUBE_CONTEXT: have they expired?",
        )
    if status == 403 and "is forbidden: User" in message:
        gone = "or the namespace is gone, and Norn's rights with it"
        return StepFailed(f"Norn may not {verb} {what} in the cluster, {gone}: {message}", hint=RIGHTS)
    if status == 404:
        return StepFailed(
            f"the cluster cannot {verb} {what}: {message}", hint="does the namespace exist? NORN_KUBE_NAMESPACE"
        )
    if status in _NOT_NOW:
        return ClusterDown(f"the cluster could not {verb} {what} now: {status} {message}")
    return StepFailed(f"the cluster refused to {verb} {what}: {message}")


def _message(body: bytes) -> str:
    """Returns the sentence in a Status object; if the body is something else, its text."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    text = said.get("message", "") if isinstance(said, dict) else body.decode(errors="replace")
    return " ".join(str(text).split())[:_LONGEST]
