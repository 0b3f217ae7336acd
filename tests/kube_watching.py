"""Independent observers of a rollout in Kubernetes: they poll the API server and the Service, and share no code with
Norn's own decision.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Self

import httpx

from norn_tasks.adapters.kubernetes.api import Api

Shown = Callable[[list[dict[str, Any]]], bool]
PAUSE = 0.1
"""Seconds between two polls, short enough for more than five polls a second."""


@dataclass
class Polling:
    """A thread that repeats one action while a block runs."""

    PAUSE: ClassVar[float] = PAUSE
    _over: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._over.wait(self.PAUSE):
            self.poll()

    def poll(self) -> None:
        """Does the action once."""
        raise NotImplementedError


@dataclass
class Sighting(Polling):
    """Records when the objects of an app show a fact for the first time."""

    api: Api
    app: str
    fact: Shown
    at: float | None = None
    """The time (`time.time`); None if the fact was not seen yet."""

    def poll(self) -> None:
        """Reads the pods, their events and the ReplicaSets."""
        if self.at is None:
            mine = f"norn.io/app={self.app}"
            things = [*self.api.all_of("Pod", mine), *self.api.all_of("ReplicaSet", mine), *self.api.all_of("Event")]
            if self.fact([each for each in things if _concerns(each, self.app)]):
                self.at = time.time()


@dataclass
class Visitor(Polling):
    """Requests a webserver repeatedly, each time on a new connection."""

    url: str
    good: str
    asked: int = 0
    failures: list[str] = field(default_factory=list)

    def poll(self) -> None:
        """Sends one request."""
        self.asked += 1
        try:
            answer = httpx.get(self.url, timeout=5)
            if (answer.status_code, answer.text.strip()) != (200, self.good):
                self.failures.append(f"{answer.status_code} {answer.text[:40]!r}")
        except httpx.HTTPError as error:
            self.failures.append(repr(error))


@dataclass
class Thief(Polling):
    """Removes a key from each secret of an app as soon as the secret exists."""

    PAUSE = 0.02

    api: Api
    app: str
    key: str

    def poll(self) -> None:
        """Replaces each secret that has the key by one without it."""
        for each in self.api.all_of("Secret", f"norn.io/app={self.app}"):
            if self.key in each.get("data", {}):
                self.api.delete(each)
                kept = {name: each["metadata"][name] for name in ("name", "labels", "annotations")}
                data = {name: value for name, value in each["data"].items() if name != self.key}
                self.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": kept, "data": data})


def _concerns(thing: dict[str, Any], app: str) -> bool:
    return thing["kind"] != "Event" or thing["involvedObject"]["name"].startswith(f"{app}-")


def waits(*reasons: str) -> Shown:
    """Returns a condition that holds if a container waits for one of these reasons."""
    return lambda things: any(
        (each.get("state", {}).get("waiting") or {}).get("reason") in reasons for each in _states(things)
    )


def ended(reason: str) -> Shown:
    """Returns a condition that holds if a container ended for this reason."""
    return lambda things: any(
        (each.get(state, {}).get("terminated") or {}).get("reason") == reason
        for each in _states(things)
        for state in ("state", "lastState")
    )


def ended_again() -> Shown:
    """Returns a condition that holds if a container ended, was started again and ended again."""
    return lambda things: any(
        each.get("restartCount", 0) > 0 and "terminated" in each.get("state", {}) for each in _states(things)
    )


def happened(reason: str, words: str = "") -> Shown:
    """Returns a condition that holds if an event has this reason and these words."""
    return lambda things: any(
        each["kind"] == "Event" and each.get("reason") == reason and words in each.get("message", "") for each in things
    )


def either(*facts: Shown) -> Shown:
    """Returns a condition that holds if one of these conditions holds."""
    return lambda things: any(fact(things) for fact in facts)


def condition(kind: str, status: str, words: str = "") -> Shown:
    """Returns a condition that holds if a pod or a ReplicaSet has this Kubernetes condition."""
    return lambda things: any(
        (each["type"], each["status"]) == (kind, status) and words in each.get("message", "")
        for thing in things
        for each in thing.get("status", {}).get("conditions") or []
    )


def _states(things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for thing in things for each in thing.get("status", {}).get("containerStatuses") or []]


def incomplete(deployment: dict[str, Any], pods: list[dict[str, Any]], generation: int) -> str:
    """Returns the reason why an app must not be called deployed; empty if all its pods are updated and ready.

    `generation`: the generation that Norn calls live.
    """
    metadata, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    seen = int((spec["template"]["metadata"].get("annotations") or {}).get("norn.io/generation", 0))
    wanted = int(spec["replicas"])
    numbers = {name: int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "readyReplicas")}
    here = [each for each in pods if "deletionTimestamp" not in each["metadata"]]
    if seen != generation:
        return f"its template is of generation {seen}, and {generation} is said to be live"
    if status.get("observedGeneration") != metadata["generation"]:
        return "the cluster has not observed the newest template"
    if set(numbers.values()) != {wanted} or int(status.get("availableReplicas") or 0) != wanted:
        return f"{numbers}, available {status.get('availableReplicas')} of {wanted}"
    if len(here) != wanted or not all(condition("Ready", "True")([each]) for each in here):
        return f"{len(here)} pods of {wanted}, not all of them ready"
    return ""
