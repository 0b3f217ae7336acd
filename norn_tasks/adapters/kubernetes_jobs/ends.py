"""Reads the state and the end of a run from its pod."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from norn_tasks.adapters.kubernetes.site import Seen
from norn_tasks.adapters.kubernetes.status import trouble

_NOT_STARTED = ("StartError", "ContainerCannotRun")
"""The reasons that Kubernetes gives if a program could not be started."""
_MISSING = ("executable file not found", "no such file or directory")
_FORBIDDEN = "permission denied"
_INFRASTRUCTURE, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127


@dataclass(frozen=True)
class RunPod:
    """The pod of a run, as one observation found it."""

    name: str
    """The pod's name."""
    uid: str
    """The pod's identity, which no other pod ever has."""
    leaving: bool = False
    """True if the removal of the pod was requested."""
    started: datetime | None = None
    """When its code began."""
    finished: datetime | None = None
    """When its code ended."""
    over: bool = False
    """True if the pod has ended."""
    code: int | None = None
    """The exit code of its code; None if Kubernetes does not know it."""
    oom_killed: bool = False
    """True if it was killed because it used too much memory."""
    interrupted: bool = False
    """True if Kubernetes ended the pod: its node was lost, or the pod was evicted."""
    message: str = ""
    """Why its program could not be started."""
    trouble: str = ""
    """Why it has not started yet."""
    unscheduled: bool = False
    """True if no node has room for the pod yet."""


def seen_pod(pods: Sequence[Seen], uid: str | None) -> RunPod | None:
    """Returns the pod of a run: the one with this uid or, if no uid is known yet, the oldest one; None if there is
    none.
    """
    found = [each for each in pods if uid is None or each["metadata"]["uid"] == uid]
    return _read(found[0]) if found else None


def _read(pod: Seen) -> RunPod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    containers = status.get("containerStatuses") or [{}]
    state = containers[0].get("state") or {}
    running, ended = state.get("running") or {}, state.get("terminated") or {}
    seen = RunPod(
        metadata["name"],
        metadata["uid"],
        "deletionTimestamp" in metadata,
        started=_moment((running or ended).get("startedAt")),
        trouble=trouble(pod),
        unscheduled="nodeName" not in pod["spec"],
    )
    if not ended:
        return _lost(seen, status) if status.get("phase") == "Failed" else seen
    reason, message = ended.get("reason", ""), ended.get("message", "")
    failed = reason in _NOT_STARTED
    return RunPod(
        seen.name,
        seen.uid,
        seen.leaving,
        started=None if failed else seen.started,
        finished=_moment(ended.get("finishedAt")),
        over=True,
        code=_code_of(message) if failed else int(ended["exitCode"]),
        oom_killed=reason == "OOMKilled" and ended["exitCode"] != 0,
        interrupted=status.get("reason") == "Evicted",
        message=message if failed else "",
    )


def _lost(seen: RunPod, status: Seen) -> RunPod:
    """Returns the end of a pod that failed without a recorded end of its container."""
    message = f"{status.get('reason', '')}: {status.get('message', '')}"
    return RunPod(seen.name, seen.uid, seen.leaving, seen.started, over=True, interrupted=True, message=message)


def _code_of(message: str) -> int:
    """Returns the exit code that a shell would return for a program that could not be started (POSIX 2.8.2)."""
    if any(words in message for words in _MISSING):
        return _NOT_FOUND
    return _NOT_EXECUTABLE if _FORBIDDEN in message else _INFRASTRUCTURE


def _moment(at: str | None) -> datetime | None:
    return datetime.fromisoformat(at) if at else None
