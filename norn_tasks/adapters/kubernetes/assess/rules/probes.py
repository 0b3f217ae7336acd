"""Finds probes that have failed as often as they may: the node then kills the container, or the pod never becomes
ready.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.messages import brief
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, mapping, moment, number, parts, text
from norn_tasks.adapters.kubernetes.assess.patience import MOMENT
from norn_tasks.adapters.kubernetes.assess.pods import PodContainer, SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

SLOW_START = timedelta(seconds=60)
"""How long a readiness probe may fail after the start of a container that has no startup probe."""
_KILLS = (137, 143)
"""The exit codes of a container that its node killed, or asked to end."""
_SPECS = {"startup": "startupProbe", "liveness": "livenessProbe", "readiness": "readinessProbe"}
_CAUSES = {"startup": Cause.STARTUP_PROBE, "liveness": Cause.LIVENESS_PROBE, "readiness": Cause.READINESS_PROBE}
_KILLED = re.compile(r"failed (startup|liveness) probe")
_FAILED = re.compile(
    r"(Startup|Liveness|Readiness) probe (?:failed|errored(?: and resulted in \w+ state)?): (.*)", re.S
)
_STATUS = re.compile(r"HTTP probe failed with statuscode: (\d+)")
_TIMEOUT = re.compile(r"Client\.Timeout|deadline exceeded|i/o timeout|timed out|timeout", re.IGNORECASE)
_ADDRESS = re.compile(r"dial tcp \S+?:(\d+):")


def failing_probes(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the probes of new pods that have failed as often as they may, or that fail now."""
    for pod in seen.unready:
        for container in pod.containers:
            if container.kind == "init container" or container.well:
                continue
            if trouble := _killed(pod, container) or _unready(pod, container, seen.now):
                yield trouble


def _killed(pod: SeenPod, container: PodContainer) -> RolloutTrouble | None:
    """Returns the failed probe for which the node ended the container's last run, or is ending its present run."""
    began = None if container.running_since else moment(container.end, "startedAt")
    for event in reversed(pod.said("Killing")):
        found = _KILLED.search(event.message)
        since = began or _start_before(container, event)
        if found and event.is_of(container.name) and event.not_before(since):
            return _trouble(pod, container, found[1], since)
    return _probably_killed(pod, container)


def _probably_killed(pod: SeenPod, container: PodContainer) -> RolloutTrouble | None:
    """Returns the probe that explains why a signal ended the container, if no event says so. A node with many events
    drops some of them.
    """
    began, ended = moment(container.end, "startedAt"), moment(container.end, "finishedAt")
    by_signal = number(container.end, "exitCode") in _KILLS and text(container.end, "reason") != "OOMKilled"
    if not by_signal or began is None or ended is None:
        return None
    for name in ("startup", "liveness"):
        spec = mapping(container.spec, _SPECS[name])
        started = name == "startup" and container.status.get("started") is not False
        lasted = ended - began >= _tries(spec, but=1)
        if spec and lasted and not started and _last(pod, container, name, None if name == "startup" else began):
            return _trouble(pod, container, name, None if name == "startup" else began)
    return None


def _start_before(container: PodContainer, event: SeenEvent) -> datetime | None:
    """Returns the start of the run that a kill may have ended: of the present run, or of the run before it."""
    started = container.running_since
    if started is not None and event.last is not None and event.last < started:
        return moment(container.end, "startedAt") or started
    return started


def _unready(pod: SeenPod, container: PodContainer, now: datetime) -> RolloutTrouble | None:
    """Returns the probe that keeps a running container from being ready. The trouble may still pass until all tries are
    used.
    """
    started = container.running_since
    failed = [name for name in _SPECS if _last(pod, container, name, started)]
    if container.running is None or not failed:
        return None
    name = "startup" if failed == ["startup"] else "readiness" if "readiness" in failed else failed[-1]
    if name == "startup":
        return _trouble(pod, container, name, started, passing=not _tried(pod, container, started, now))
    if name != "readiness":
        return _trouble(pod, container, name, started, passing=True)
    spec = mapping(container.spec, "readinessProbe")
    event = _last(pod, container, name, started)
    enough = bool(event and event.count >= number(spec, "failureThreshold", default=3))
    return _trouble(pod, container, name, started, passing=not (enough and _overdue(container, spec, started, now)))


def _tried(pod: SeenPod, container: PodContainer, started: datetime | None, now: datetime) -> bool:
    """Returns True if a startup probe has used all its tries. Nodes with a Kubernetes older than 1.21 react to that up
    to a minute late.
    """
    spec = mapping(container.spec, _SPECS["startup"])
    event = _last(pod, container, "startup", started)
    crashed = bool(container.end) and number(container.end, "exitCode") not in (0, *_KILLS)
    if container.status.get("started") is True or event is None or started is None or crashed:
        return False
    tries = number(spec, "failureThreshold", default=3)
    longest = max(number(spec, "periodSeconds", default=10), number(spec, "timeoutSeconds", default=1))
    needed = timedelta(seconds=number(spec, "initialDelaySeconds") + tries * longest)
    of_this_run = event.first is not None and event.first >= started.replace(microsecond=0)
    counted = of_this_run and event.count >= tries and now - started >= _tries(spec, but=1)
    return counted or now - started >= needed + MOMENT


def _overdue(container: PodContainer, spec: KubeObject, started: datetime | None, now: datetime) -> bool:
    """Returns True if a container has run as long as all tries of its readiness probe take, and at least for
    SLOW_START.

    SLOW_START counts only if the container has no startup probe.
    """
    limit = _tries(spec)
    if "startupProbe" not in container.spec:
        limit = max(limit, SLOW_START)
    return started is None or now - started >= limit


def _tries(spec: KubeObject, *, but: int = 0) -> timedelta:
    """Returns how long a probe needs for all its tries, less `but` of them."""
    tries = number(spec, "failureThreshold", default=3) - but
    return timedelta(seconds=number(spec, "initialDelaySeconds") + tries * number(spec, "periodSeconds", default=10))


def _trouble(
    pod: SeenPod, container: PodContainer, name: str, since: datetime | None, *, passing: bool = False
) -> RolloutTrouble:
    event = _last(pod, container, name, since)
    said = found[2] if event and (found := _FAILED.match(event.message)) else ""
    asked = _asked(container, mapping(container.spec, _SPECS[name]))
    probe = f"the {name} probe of {container.label}{asked}"
    if port := _refused(said):
        sentence = f"nothing listens on port {port} of {container.label} ({name} probe: connection refused)"
        return RolloutTrouble(Cause.NOTHING_LISTENS, sentence, pod.name, passing=passing)
    if status := _STATUS.search(said):
        return RolloutTrouble(_CAUSES[name], f"{probe} gets status {status[1]}", pod.name, passing=passing)
    if _TIMEOUT.search(said):
        return RolloutTrouble(Cause.PROBE_TIMEOUT, f"{probe} gets no answer in time", pod.name, passing=passing)
    return RolloutTrouble(
        _CAUSES[name], f"{probe} fails{f': {brief(said)}' if said else ''}", pod.name, passing=passing
    )


def _refused(said: str) -> str:
    port = _ADDRESS.search(said)
    return port[1] if port and "connection refused" in said else ""


def _asked(container: PodContainer, spec: KubeObject) -> str:
    """Returns the request of a probe, as a part of a sentence."""
    http, tcp = mapping(spec, "httpGet"), mapping(spec, "tcpSocket") or mapping(spec, "grpc")
    if http:
        return f" (GET {text(http, 'path') or '/'} on port {_port(container, http)})"
    return f" (port {_port(container, tcp)})" if tcp else ""


def _port(container: PodContainer, asked: KubeObject) -> str:
    """Returns the number of the port that a probe uses; the probe's spec may give it by name."""
    named = text(asked, "port")
    numbers = {text(each, "name"): text(each, "containerPort") for each in parts(container.spec, "ports")}
    return numbers.get(named, named)


def _last(pod: SeenPod, container: PodContainer, name: str, since: datetime | None) -> SeenEvent | None:
    """Returns the last failure of this container's probe after `since`."""
    for event in reversed(pod.said("Unhealthy", "ProbeError")):
        found = _FAILED.match(event.message)
        if found and found[1].lower() == name and event.is_of(container.name) and event.not_before(since):
            return event
    return None
