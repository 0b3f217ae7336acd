"""The Kubernetes cluster as a container engine for runs: the Jobs of this control plane on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.refusals import ObjectMoved
from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.domain.errors import ClusterDown, EngineDown, StepFailed
from norn_tasks.ports import RunsReach, SeenContainer

_PAUSE = 0.25
_WITHIN = 60.0
_SILENT = 10.0
"""Seconds for which a cluster that did not answer is not asked again, because workers ask for the id before
each claim.
"""


class KubernetesJobs:
    """Implements `ports.Engine` with Jobs. Several control planes may share a namespace; `instance` is the id of this
    one, which uses only Jobs that are labelled with it.
    """

    name = "kubernetes"

    def __init__(self, api: Api, instance: str = "") -> None:
        self.api, self.instance = api, instance
        self._silent: tuple[float, EngineDown] | None = None

    def identity(self) -> str:
        """Returns the same id for every worker, because a control plane has one cluster, which its settings name.

        Raises EngineDown immediately if the cluster did not answer a moment ago, so that other jobs do not wait for it.
        """
        if self._silent is not None and time.monotonic() - self._silent[0] < _SILENT:
            raise EngineDown(self._silent[1].sentence, hint=self._silent[1].hint)
        try:
            with _as_engine():
                self.api.require_answer()
        except EngineDown as error:
            self._silent = time.monotonic(), error
            raise
        self._silent = None
        return f"kubernetes:{self.api.namespace}"

    def containers(self) -> tuple[SeenContainer, ...]:
        """Returns the Jobs of all runs; raises EngineDown, also if Norn has no right to list them."""
        now = datetime.now(UTC)
        with _as_engine():
            found = self.labelled(marks.selector(self.instance))
        return tuple(
            SeenContainer(
                id=each["metadata"]["name"],
                name=marks.label_of(each, marks.RUN),
                owner=marks.note_of(each, marks.OWNER),
                running=each["spec"]["parallelism"] > 0,
                age=max(0.0, (now - datetime.fromisoformat(each["metadata"]["creationTimestamp"])).total_seconds()),
            )
            for each in found
        )

    def remove(self, container: str) -> None:
        """Ends and removes the Job with this name, and the Jobs of a run with this name; returns when they no longer
        exist.
        """
        with _as_engine():
            found = self.labelled(f"{marks.selector(self.instance)},{marks.RUN}={container}")
            for name in (container, *(each["metadata"]["name"] for each in found)):
                self.take_away(name, _WITHIN)

    def reach(self) -> RunsReach:
        """Returns a RunsReach that says that nothing was tested. The network policies of the cluster decide what runs
        can reach.
        """
        return RunsReach("")

    def labelled(self, selector: str) -> tuple[Object, ...]:
        """Returns the Jobs of runs that match the label selector."""
        return self.api.all_of("Job", f"{selector},{marks.RUN}")

    def take_away(self, name: str, within: float) -> None:
        """Ends and removes a Job; returns when the Job and its pods no longer exist. Raises StepFailed if they still
        exist after `within` seconds.
        """
        until = time.monotonic() + within
        while self.removed(name) or self.pods(name):
            if time.monotonic() > until:
                raise StepFailed(
                    f"the cluster has not removed the Job {name} in {within:g} s", hint=f"kubectl describe job {name}"
                )
            time.sleep(_PAUSE)

    def removed(self, name: str) -> bool:
        """Requests the removal of a Job and its pods; returns False if it does not exist."""

        def remove(seen: Seen) -> None:
            if "deletionTimestamp" not in seen["metadata"]:
                self.api.delete(seen, foreground=True)

        return self.on_job(name, remove)

    def on_job(self, name: str, act: Callable[[Seen], None]) -> bool:
        """Calls `act` with the present version of a Job, and again each time that the Job has changed in between.
        Returns False if the Job is missing or belongs to another control plane.
        """
        while True:
            seen = self.api.get("Job", name)
            if seen is None or marks.label_of(seen, marks.INSTANCE) != self.instance:
                return False
            try:
                act(seen)
            except ObjectMoved:
                continue
            return True

    def pods(self, job: str) -> tuple[Object, ...]:
        """Returns the pods of a Job, the oldest first."""
        found = self.api.all_of("Pod", f"job-name={job}")
        return tuple(sorted(found, key=lambda each: str(each["metadata"]["creationTimestamp"])))


@contextmanager
def _as_engine() -> Iterator[None]:
    try:
        yield
    except (ClusterDown, StepFailed) as error:
        raise EngineDown(error.sentence, hint=error.hint) from error
