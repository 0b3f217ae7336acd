"""The Kubernetes cluster, as the steps of jobs use it. Each method calls a few functions of the other modules in this
package.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.assess import RolloutVerdict, assess
from norn_tasks.adapters.kubernetes.claims import KubernetesVolumes
from norn_tasks.adapters.kubernetes.declaring import Declaration
from norn_tasks.adapters.kubernetes.execs import PodExec
from norn_tasks.adapters.kubernetes.fencing import FencedWriter, Lease, require_fence
from norn_tasks.adapters.kubernetes.gate import RolloutGate
from norn_tasks.adapters.kubernetes.logs import PodLogs
from norn_tasks.adapters.kubernetes.looking import ending, look_at_app
from norn_tasks.adapters.kubernetes.moving.entrances import Entrances, entrance_of, require_answer
from norn_tasks.adapters.kubernetes.objects.pause import has_program
from norn_tasks.adapters.kubernetes.refusals import patiently
from norn_tasks.adapters.kubernetes.site import ServerVersion, Site
from norn_tasks.adapters.kubernetes.status import serves, status_of, statuses
from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.errors import ClusterDown, NornError, NotFound, StepFailed, Stopped
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.redaction import NOTHING_HIDDEN, Redaction
from norn_tasks.ports import ExecCommand, Stop, Terminal, Volumes, Watch, Workload

_LOOK = 0.5
_REMOVAL = 120
"""The seconds that the removal of an app may take, in addition to the time that its pods have to end."""
_ENDING = 3
"""The most seconds for which a failed rollout waits for the end of its pods. The live release serves all the time."""


@dataclass(frozen=True)
class _Unstoppable:
    """A stop that is never set. It is used while the live release is restored, which happens even after the job was
    cancelled.
    """

    reason: str | None = None

    def wait(self, seconds: float) -> bool:
        """Waits for `seconds`."""
        time.sleep(seconds)
        return False

    def check(self) -> None:
        """Does nothing."""


class KubernetesCluster:
    """Implements `ports.Cluster`. `site` has the settings of this cluster; only the server's version is read from the
    server.

    `lease` raises LeaseLost if a job's token is no longer valid. `login` returns the registry login with which nodes
    pull an image. `router` sends the requests of apps that moved here from Docker to their Services.
    """

    name = "kubernetes"
    engine: str | None = None

    def __init__(
        self,
        api: Api,
        site: Site,
        lease: Lease,
        login: Callable[[str], str] = lambda _: "",
        router: Entrances | None = None,
    ) -> None:
        self._api = api
        self._fixed = site
        self._lease = lease
        self._login = login
        self._entrances = router

    def own_volumes(self, watch: Watch) -> Volumes:
        """Returns the volume claims of apps, which only a job with a valid lease may change."""
        return KubernetesVolumes(self._api, self._fixed, self._lease, watch)

    def prepare(self, workload: Workload, watch: Watch) -> None:
        """Creates the Deployment if it is missing; if there is no live release, the Deployment gets no replica and no
        image.

        If there is a live release, the Deployment records its generation as live: it has passed its gate (the health
        test), and is restored if a later rollout fails.
        """
        seen = self._api.get("Deployment", workload.app)
        if seen is None:
            self._declaration(workload, watch).whole(live=workload.release > 0)
            return
        marks.require_ours(seen, workload.app, self._fixed.instance)
        require_fence(seen, watch.fence)

    def expose(self, workload: Workload, watch: Watch) -> str:
        """Creates the Service. Returns its address inside the cluster or, for an app that moved here from Docker, the
        address of the router.
        """
        self._declaration(workload, watch).expose()
        at_router = self._led(workload, watch)
        return at_router or f"http://{workload.internal_host}.{self._fixed.namespace}.svc"

    def apply(self, workload: Workload, watch: Watch) -> None:
        """Checks that the objects of the workload can be built; raises RegistryFailed if no node can pull its image.

        `await_rollout` writes the objects, so a job that ends before that has changed nothing.
        """
        self._declaration(workload, watch).check()

    def await_rollout(self, workload: Workload, watch: Watch) -> WorkloadStatus:
        """Rolls the workload out, and waits until the rollout ends. If it fails, restores the live release and raises
        an error.
        """
        if workload.mounts and workload.replicas > 0:
            watch.say("old pods end before new ones start: one pod at a time mounts a volume\n")
        declared = self._declaration(workload, watch)
        gate = RolloutGate(self._api, workload, declared.look, watch, declared.whole() + _LOOK)
        try:
            gate.passed()
            patiently(declared.mark_live, watch)
            look = gate.passed()
        except (StepFailed, ClusterDown):
            self._bring_back(workload, watch)
            raise
        except Stopped:
            if watch.stop.reason == "cancelled":
                self._bring_back(workload, watch)
            raise
        # The Service may have another name now; `tidy` removes the old Service.
        patiently(lambda: self._led(workload, watch), watch)
        patiently(declared.tidy, watch)
        assert look.deployment is not None
        return status_of(look.deployment, look.pods)

    def entrance(self, workload: Workload, watch: Watch) -> str | None:
        """Returns the address of the app's Service, or None if it has none; raises StepFailed if this machine cannot
        connect to it.
        """
        found = entrance_of(self._api, workload)
        if found is not None:
            require_answer(found, watch.stop)
        return found

    def withdraw(self, app: str, watch: Watch) -> None:
        """Removes the app's Services."""
        self._remove_all("Service", app, watch)

    def unexpose(self, app: str, watch: Watch) -> None:
        """Removes the app's Services, and frees the router's port if the app had one because it moved here from
        Docker.
        """
        if self._entrances is not None:
            self._entrances.ports.release(app, watch.fence)
        self.withdraw(app, watch)

    def dismantle(self, app: str, watch: Watch) -> None:
        """Removes the Deployment with its pods, the Secrets and the disruption budget; returns when no pod is left."""
        limit = _REMOVAL + ending(self._api.all_of("Pod", marks.selector(self._fixed.instance, app)))
        programs = ("ConfigMap",) if has_program(self._site("")) else ()
        for kind in ("Deployment", "PodDisruptionBudget", "Secret", *programs):
            self._remove_all(kind, app, watch)
        self._until(lambda: self._nothing_left(app), limit, watch, f"pods of {app} are still ending")

    def end_drained(self, watch: Watch) -> int:
        """Returns 0, because Norn removes no pods here: the kubelet removes a replaced pod when its program has ended
        or its grace period is over.
        """
        return 0

    def status(self) -> tuple[WorkloadStatus, ...]:
        """Returns the status of each app of this control plane that has a Deployment; raises ClusterDown."""
        chosen = marks.selector(self._fixed.instance)
        found = statuses(self._api.all_of("Deployment", chosen), self._api.all_of("Pod", chosen))
        return tuple(self._explained(each) if each.ready < each.wanted else each for each in found)

    def drift(self, workload: Workload, watch: Watch) -> tuple[Drift, ...]:
        """Compares the objects with what the last rollout wrote; raises ClusterDown."""
        return self._declaration(workload, watch).drift()

    def logs(
        self,
        app: str,
        tail: int,
        follow: bool,
        emit: Callable[[str, str], None],
        stop: Stop,
        hidden: Redaction = NOTHING_HIDDEN,
    ) -> None:
        """Emits the last lines of all pods in order of time. With `follow`, it then emits new lines until the stop is
        set.
        """
        logs = PodLogs(self._api, marks.selector(self._fixed.instance, app), emit, stop, hidden)
        with contextlib.suppress(Stopped):
            logs.tail(tail)
            if follow:
                logs.follow()

    def execute(self, command: ExecCommand, terminal: Terminal) -> int:
        """Runs a program in the pod with the requested number (by default 1) among the pods that serve, and returns its
        exit code; raises NotFound if no such pod serves.
        """
        pods = self._api.all_of("Pod", marks.selector(self._fixed.instance, command.app))
        serving = sorted(
            (each for each in pods if serves(each)),
            key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]),
        )
        chosen = (command.replica or 1) - 1
        if not 0 <= chosen < len(serving):
            which = f"replica {command.replica}" if command.replica is not None else "replica"
            raise NotFound(f"{command.app} has no {which} that serves now", hint=f"norn status {command.app} --fresh")
        return PodExec(self._api, serving[chosen]["metadata"]["name"], command, terminal).run()

    def version(self) -> ServerVersion:
        """Returns the version of the server; raises ClusterDown."""
        return self._api.version()

    def _explained(self, status: WorkloadStatus) -> WorkloadStatus:
        """Adds to a status why too few replicas are ready. Pods that Kubernetes could not create cannot report the
        reason themselves.
        """
        look = look_at_app(self._api, status.app, self._fixed.instance)
        if look.deployment is None:
            return status
        found = assess(look.objects, datetime.now(UTC))
        return status if found.verdict is RolloutVerdict.AVAILABLE else replace(status, message=found.sentence)

    def _site(self, image: str) -> Site:
        return replace(self._fixed, version=self._api.version(), registry_login=self._login(image))

    def _writer(self, app: str, watch: Watch) -> FencedWriter:
        return FencedWriter(self._api, app, self._fixed.instance, self._lease, watch)

    def _declaration(self, workload: Workload, watch: Watch) -> Declaration:
        return Declaration(
            self._api, self._site(workload.published), self._writer(workload.app, watch), workload, watch.fence
        )

    def _led(self, workload: Workload, watch: Watch) -> str | None:
        """Makes the router send the requests of an app that moved here from Docker to its Service. Returns the app's
        address at the router; None for other apps.
        """
        found = entrance_of(self._api, workload) if self._entrances is not None else None
        return self._entrances.lead(workload.app, found, watch) if self._entrances and found else None

    def _bring_back(self, workload: Workload, watch: Watch) -> None:
        """Restores the release that was live before. Raises no error, because an error would hide why the rollout
        failed.
        """
        watch = replace(watch, stop=_Unstoppable())
        try:
            watch.say(f"{self._declaration(workload, watch).bring_back()}\n")
            self._until(lambda: self._gone(workload), _ENDING, watch, "pods of the failed release are still ending")
        except NornError as error:
            watch.say(f"while the live release was brought back: {error.sentence}\n")

    def _gone(self, workload: Workload) -> bool:
        look = look_at_app(self._api, workload.app, self._fixed.instance)
        if look.deployment is None or marks.number_of(look.deployment, marks.LIVE) == workload.generation:
            return True
        return not any(marks.number_of(each, marks.GENERATION) == workload.generation for each in look.pods)

    def _remove_all(self, kind: str, app: str, watch: Watch) -> None:
        writer = self._writer(app, watch)
        for each in self._api.all_of(kind, marks.selector(self._fixed.instance, app)):
            writer.remove(kind, each["metadata"]["name"], foreground=kind == "Deployment")

    def _nothing_left(self, app: str) -> bool:
        chosen = marks.selector(self._fixed.instance, app)
        return not any(self._api.all_of(kind, chosen) for kind in ("Deployment", "Pod"))

    def _until(self, done: Callable[[], bool], seconds: float, watch: Watch, otherwise: str) -> None:
        for _ in range(round(seconds / _LOOK)):
            if done():
                return
            watch.stop.wait(_LOOK)
            watch.stop.check()
        raise StepFailed(f"{otherwise} after {seconds:g} s", hint="kubectl get pods shows them")
