"""Reads the state and the end of a run from its pod."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from norn_tasks.adapters.kubernetes.site import Seen
from norn_tasks.adapters.kubernetes.status import trouble

_NOT_STARTED = ("StartError", "ContainerCannotRun")
"""The reasons that the cluster gives if a program could not be started."""
_MISSING = ("executable file not found", "no such file or directory")
_FORBIDDEN = "permission denied"
_INFRASTRUCTURE, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127


@dataclass(frozen=True)
class RunPod:
    """The pod of a run at one look."""

    name: str
    """Its name."""
    uid: str
    """Its identity, which no other pod ever has."""
    leaving: bool = False
    """Its removal was requested."""
    started: datetime | None = None
    """The moment at which its code began."""
    finished: datetime | None = None
    """The moment at which its code ended."""
    over: bool = False
    """It has ended."""
    code: int | None = None
    """Its exit code; none if the cluster does not know it."""
    oom_killed: bool = False
    """It was killed because it used more than its memory."""
    interrupted: bool = False
    """The cluster ended it: its node was lost, or it was evicted."""
    message: str = ""
    """The reason why its program could not be started."""
    trouble: str = ""
    """The reason why it has not started yet."""
    unscheduled: bool = False
    """No node has room for it yet."""


def seen_pod(pods: Sequence[Seen], uid: str | None) -> RunPod | None:
    """Returns the pod of a run: the one with this uid, or the oldest one if none is known yet."""
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
    """Returns the end of a pod that failed, and whose container has no recorded end."""
    message = f"{status.get('reason', '')}: {status.get('message', '')}"
    return RunPod(seen.name, seen.uid, seen.leaving, seen.started, over=True, interrupted=True, message=message)


def _code_of(message: str) -> int:
    """Returns the exit code of a shell (POSIX 2.8.2) for a program that could not be started."""
    if any(words in message for words in _MISSING):
        return _NOT_FOUND
    return _NOT_EXECUTABLE if _FORBIDDEN in message else _INFRASTRUCTURE


def _moment(at: str | None) -> datetime | None:
    return datetime.fromisoformat(at) if at else None
