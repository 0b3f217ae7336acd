"""Waits until a rollout is complete, or raises an error that says in one sentence why it failed.

`assess` computes the verdict on the rollout. Before each verdict, the fence of the Deployment is compared with the
fence of the job. So a job never gives a verdict on a Deployment that a later claim has written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.assess import Assessment, RolloutVerdict, assess
from norn_tasks.adapters.kubernetes.fencing import require_fence
from norn_tasks.adapters.kubernetes.looking import AppLook, generation_of, lines_of, warnings
from norn_tasks.adapters.kubernetes.refusals import patiently
from norn_tasks.adapters.kubernetes.site import Seen
from norn_tasks.domain.backoff import doubling_pause
from norn_tasks.domain.causes import Evidence, cause_of_end
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.ports import Watch, Workload

_FIRST, _AGAIN = 0.25, 1.0
_EVENTS = 10


class RolloutGate:
    """The gate of one rollout, which a rollout passes when it is complete; `seconds`: how long it may go without
    progress.
    """

    def __init__(self, api: Api, workload: Workload, look: Callable[[], AppLook], watch: Watch, seconds: float) -> None:
        self._api = api
        self._workload = workload
        self._look = look
        self._watch = watch
        self._seconds = seconds

    def passed(self) -> AppLook:
        """Returns the observation that showed that the rollout is complete; raises RolloutFailed, LeaseLost,
        ClusterDown or Stopped.
        """
        looks, said, counts, since = 0, "", None, time.monotonic()
        while True:
            look = patiently(self._look, self._watch)
            found = self._judged(look)
            if found.verdict is RolloutVerdict.AVAILABLE:
                return look
            if found.verdict is RolloutVerdict.FAILED:
                raise self._failure(found, look)
            if _counts(look) != counts:
                counts, since = _counts(look), time.monotonic()
            if time.monotonic() - since > self._seconds:
                raise self._failure(found, look, f"no progress for {self._seconds:g} s: ")
            if found.sentence != said:
                said = found.sentence
                self._watch.say(f"{said}\n")
            looks += 1
            self._watch.stop.wait(doubling_pause(_FIRST, looks, most=_AGAIN))
            self._watch.stop.check()

    def _judged(self, look: AppLook) -> Assessment:
        if look.deployment is None:
            raise RolloutFailed(
                f"the Deployment {self._workload.app} was removed while it was rolled out",
                hint="kubectl get events shows who or what removed it",
            )
        require_fence(look.deployment, self._watch.fence)
        if (seen := generation_of(look.deployment["spec"]["template"])) != self._workload.generation:
            raise RolloutFailed(
                f"the Deployment {self._workload.app} was changed while it was rolled out: its template is that of "
                f"generation {seen}, and no longer that of {self._workload.generation}",
                hint=f"kubectl rollout history deployment {self._workload.app} shows the changes; then deploy again",
            )
        return assess(look.objects, datetime.now(UTC))

    def _failure(self, found: Assessment, look: AppLook, late: str = "") -> RolloutFailed:
        pod = self._shown(found, look)
        lines = lines_of(self._api, pod, self._workload.hidden) if pod is not None else ()
        cause = cause_of_end(Evidence(lines=lines, exit_code=_exit_code(pod), port=self._workload.port))
        events = [self._workload.hidden.of_text(line) for line in warnings(look)][-_EVENTS:]
        for line in events:
            self._watch.say(f"event: {line}\n")
        sentence = f"{late}{found.sentence}" + (f": {cause.text}" if cause.text and _exit_code(pod) else "")
        return RolloutFailed(
            self._workload.hidden.of_text(sentence), hint=found.hint or cause.hint, cause=str(found.cause),
            last_lines=list(lines), events=events,
        )  # fmt: skip

    def _shown(self, found: Assessment, look: AppLook) -> Seen | None:
        """Returns the pod that shows the failure; if the verdict names none, any pod of the generation."""
        mine = [each for each in look.pods if generation_of(each) == self._workload.generation]
        named = [each for each in mine if each["metadata"]["name"] == found.pod]
        return next(iter(named or mine), None)


def _counts(look: AppLook) -> object:
    """Returns numbers of the rollout; a change of these numbers counts as progress."""
    status = look.deployment["status"] if look.deployment is not None else {}
    numbers = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return [status.get(name) for name in numbers]


def _exit_code(pod: Seen | None) -> int | None:
    """Returns the exit code with which the pod's program last ended; None if it has never ended."""
    for each in (pod or {}).get("status", {}).get("containerStatuses") or []:
        for state in (each.get("state") or {}, each.get("lastState") or {}):
            if "terminated" in state:
                return int(state["terminated"]["exitCode"])
    return None
