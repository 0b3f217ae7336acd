"""The runtime `kubernetes`: it runs every one-off command of an app whose replicas are on Kubernetes, each in a Job.

The stages have a guaranteed order (docs/reliability.md, "Fencing"): the Job is created, recorded, allowed to begin,
started, read, ended, removed. The Job is created with a parallelism of 0, and started by setting that to 1. So an owner
cannot start a Job that a later owner has removed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection
from dataclasses import replace

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.objects.run import run_job, run_program, run_secret, waits
from norn_tasks.adapters.kubernetes.refusals import patiently
from norn_tasks.adapters.kubernetes.site import Seen, Site
from norn_tasks.adapters.kubernetes_jobs.attached import AttachedRun
from norn_tasks.adapters.kubernetes_jobs.engine import KubernetesJobs
from norn_tasks.adapters.kubernetes_jobs.following import RunJob
from norn_tasks.domain.errors import Conflict, InvalidRequest, LeaseLost
from norn_tasks.domain.jobs.execution import ContainerExit
from norn_tasks.ports import Hooks, Run, Watch

_LONGEST = 50
"""The most characters of a run's name that its Job's name contains; the Job's name with a suffix must fit into
a label.
"""
_REMOVAL = 60.0


class KubernetesRuntime:
    """Implements `ports.Runtime` on a cluster. `site` has no registry login; `login` returns it."""

    name = "kubernetes"

    def __init__(self, on: KubernetesJobs, site: Site, login: Callable[[str], str] = lambda _: "") -> None:
        self.on, self.engine = on, on.name
        self._site, self._login = site, login

    def prepare(self, image: str, app: str, watch: Watch) -> str:
        """Does nothing, because the nodes pull images."""
        return ""

    def prune(self, app: str, keep: Collection[str]) -> int:
        """Removes nothing, because the nodes remove images that they do not use."""
        return 0

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> ContainerExit:
        """Creates, records, starts, reads and removes the Job of a run."""
        self._require_input(run)
        kind = RunJob if run.client is None else AttachedRun
        job = kind(self.on, self._created(run, watch), run, watch, begun=False)
        with job.owned():
            seen = self.on.api.get("Job", job.id) if run.secrets or run.client is not None else None
            if seen is not None and run.secrets:
                self.on.api.create(run_secret(seen, run, self._site))
            if seen is not None and waits(run, self._site):
                self.on.api.create(run_program(seen, run, self._site))
            hooks.created(job.id)
            watch.stop.check()
            return job.live(hooks)

    def adopt(self, run: Run, container: str, watch: Watch) -> ContainerExit | None:
        """Follows a Job that an earlier owner started: reads its output to the end, and removes it. Returns an exit
        with `never_started` for a Job that was not started, and None if the Job is gone.
        """
        withdrawn: list[bool] = []

        def withdraw(seen: Seen) -> None:
            withdrawn.append(seen["spec"]["parallelism"] == 0)
            if withdrawn[-1]:
                self.on.api.delete(seen)

        if not patiently(lambda: self.on.on_job(container, withdraw), watch):
            return None
        if withdrawn[-1]:
            return ContainerExit(None, never_started=True)
        adopted = RunJob(self.on, container, run, watch, begun=True)
        with adopted.owned():
            return adopted.followed()

    def _require_input(self, run: Run) -> None:
        """Raises InvalidRequest for an input whose end the cluster cannot pass on; a terminal has Ctrl-D."""
        version = self.on.api.version()
        if run.client is not None and not run.client.tty and not version.passes_end_of_input:
            raise InvalidRequest(
                f"Kubernetes {version} does not pass on the end of an input, so the command would wait for it forever",
                hint="norn run -t has a terminal; norn run without -i gives the command no input; 1.30 can do both",
            )

    def _created(self, run: Run, watch: Watch) -> str:
        self._clear(run, watch)
        name = f"{re.sub('[^a-z0-9-]', '-', run.name.lower())[:_LONGEST]}-{uuid.uuid4().hex[:10]}"
        made = run_job(name, run, self._with_login(run), watch.fence)
        return str(self.on.api.create(made)["metadata"]["name"])

    def _with_login(self, run: Run) -> Site:
        return replace(self._site, registry_login=self._login(run.published))

    def _clear(self, run: Run, watch: Watch) -> None:
        """Removes the Job with this run's name, but only if an earlier attempt of the same owner left it behind."""
        for seen in self.on.labelled(f"{marks.selector(self.on.instance)},{marks.RUN}={run.name}"):
            name = seen["metadata"]["name"]
            if marks.note_of(seen, marks.OWNER) != run.owner:
                raise Conflict(
                    f"the Job {name} has the name of this run, but belongs to another owner",
                    hint=f"kubectl delete job {name}",
                )
            if marks.number_of(seen, marks.FENCE) > watch.fence.token:
                raise LeaseLost(f"a later owner of job {watch.fence.job} has made {name}")
            self.on.take_away(name, _REMOVAL)
