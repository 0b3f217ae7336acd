"""Makes sure that every pod's log is read: each pod has a thread while its program runs."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from norn_tasks.adapters.kept_logs.warnings import CollectingWarnings
from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.collecting.pod import PodLog
from norn_tasks.adapters.kubernetes.looking import generation_of
from norn_tasks.adapters.kubernetes.objects.pod import CONTAINER
from norn_tasks.adapters.kubernetes.site import Object, Seen
from norn_tasks.adapters.kubernetes.watching.changes import ClusterChanges
from norn_tasks.domain.app_logs.lines import LogOrigin, is_pod
from norn_tasks.domain.errors import NornError
from norn_tasks.ports import Hiding, KeptLogs

log = logging.getLogger(__name__)

CLUSTER = "kubernetes"
_OFTEN = 0.2
"""Seconds between two rounds in which the lines that were read are stored."""
_LOOK, _SOON = 10.0, 0.5
"""Seconds between two looks at all pods, and between two looks if a pod has changed."""
_TURN = 2.0
"""Seconds between two tries to become the one process that collects."""
_AGAIN = 5.0
"""Seconds before a pod is read again after an error."""


@dataclass(frozen=True)
class _Reading:
    """The reading of one pod's log."""

    pod: PodLog
    app: str
    origin: LogOrigin
    program: str
    """The state of the pod's program when the reading began."""
    thread: threading.Thread


class PodLogCollector:
    """Collects the lines of this control plane's pods; if several processes of a machine try, only one does it."""

    def __init__(self, api: Api, instance: str, logs: KeptLogs, hiding: Hiding) -> None:
        self._api, self._instance, self._logs, self._hiding = api, instance, logs, hiding
        self._stop, self._changed = threading.Event(), threading.Event()
        self._readings: dict[str, _Reading] = {}
        self._warnings = CollectingWarnings(log)

    def run(self) -> None:
        """Collects until the collector is stopped."""
        while not self._stop.is_set():
            with self._logs.collector(CLUSTER, 0) as mine:
                if mine:
                    self._collect()
            self._stop.wait(_TURN)

    def stop(self) -> None:
        """Makes `run` return soon."""
        self._stop.set()

    def _collect(self) -> None:
        """Stores lines, and looks at the pods regularly and after each change, until the collector is stopped."""
        changes = ClusterChanges(self._api, self._instance, self._changed.set)
        looked = float("-inf")
        try:
            while not self._stop.wait(_OFTEN):
                if time.monotonic() - looked > (_SOON if self._changed.is_set() else _LOOK):
                    self._changed.clear()
                    looked = time.monotonic()
                    self._attend()
                for each in list(self._readings.values()):
                    self._keep(each)
        finally:
            changes.close()

    def _attend(self) -> None:
        """Starts a reader for each pod that may have new lines, and forgets the pods that are gone."""
        try:
            pods = self._api.all_of("Pod", marks.selector(self._instance))
        except NornError as error:
            self._warnings.say("pods", error.sentence)
            return
        self._warnings.clear("pods")
        there = {str(each["metadata"]["name"]): each for each in pods}
        self._forget(set(there))
        for name, pod in there.items():
            reading, program = self._readings.get(name), _program(pod)
            if program and (reading is None or (not reading.thread.is_alive() and _goes_on(reading.program, program))):
                self._begin(pod, program, {**there})

    def _begin(self, pod: Object, program: str, there: dict[str, Object]) -> None:
        app, name = marks.label_of(pod, marks.APP), str(pod["metadata"]["name"])
        before = self._readings.get(name)
        origin = before.origin if before is not None else self._origin(app, name, pod, there)
        read = PodLog(self._api, self._logs, self._hiding, app, origin)
        restarted = not program.startswith("0 ")
        thread = threading.Thread(
            target=self._read, args=(read, app, origin, restarted), name=f"logs-{name}", daemon=True
        )
        self._readings[name] = _Reading(read, app, origin, program, thread)
        thread.start()

    def _origin(self, app: str, name: str, pod: Seen, there: dict[str, Object]) -> LogOrigin:
        """Returns the origin of a pod's lines; its number is the lowest that no other pod of its generation has."""
        generation = generation_of(pod)
        known = {each.container: each for each in self._logs.origins(app)}
        if name in known:
            return known[name]
        here = [self._readings[each] for each in there if each in self._readings]
        taken = {each.origin.replica for each in here if (each.app, each.origin.generation) == (app, generation)}
        number = next(number for number in range(1, len(taken) + 2) if number not in taken)
        return LogOrigin(name, marks.number_of(pod, marks.RELEASE), generation, number)

    def _read(self, pod: PodLog, app: str, origin: LogOrigin, restarted: bool) -> None:
        from urllib3.exceptions import HTTPError

        while not self._stop.is_set():
            try:
                pod.collect(restarted=restarted)
            except NornError as error:
                if self._is_gone(origin):
                    return
                self._warnings.say(app, error.sentence)
                self._stop.wait(_AGAIN)
            except (HTTPError, OSError):
                continue  # nothing was written for a while, or the connection broke
            except Exception:
                log.exception("the log of %s was not read; it is tried again", origin.container)
                self._stop.wait(_AGAIN)
            else:
                self._warnings.clear(app)
                self._changed.set()
                return

    def _is_gone(self, origin: LogOrigin) -> bool:
        try:
            return self._api.get("Pod", origin.container) is None
        except NornError:
            return False

    def _keep(self, reading: _Reading) -> None:
        try:
            reading.pod.keep()
        except NornError as error:
            self._warnings.say(reading.app, error.sentence)

    def _forget(self, there: set[str]) -> None:
        """Forgets the positions of pods that are gone and are no longer read."""
        for name in [each for each in self._readings if each not in there]:
            if not self._readings[name].thread.is_alive():
                reading = self._readings.pop(name)
                self._logs.forget_container(reading.app, reading.origin)
        for app in self._logs.apps():
            for container in self._logs.containers(app):
                if is_pod(container) and container not in there and container not in self._readings:
                    self._logs.forget_container(app, LogOrigin(container, 0, 0, 0))


def _program(pod: Seen) -> str:
    """Returns the state of a pod's program: how often it was started again, and whether it runs; empty if it was never
    started.
    """
    for each in pod.get("status", {}).get("containerStatuses") or []:
        if each["name"] == CONTAINER:
            restarts, state = int(each.get("restartCount", 0)), each.get("state") or {}
            if "running" in state:
                return f"{restarts} runs"
            if "terminated" in state or restarts or "terminated" in (each.get("lastState") or {}):
                return f"{restarts} ended"
    return ""


def _goes_on(before: str, now: str) -> bool:
    """Returns True if the program may have written more since a reading that began in the state `before`."""
    return now.endswith("runs") or now != before
