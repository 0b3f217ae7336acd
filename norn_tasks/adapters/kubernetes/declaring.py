"""Writes all objects of a workload to the cluster, the Deployment last, under the fence of the job."""

from __future__ import annotations

from collections.abc import Collection

from norn_tasks.adapters.kubernetes import marks
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.fencing import FencedWriter, require_fence
from norn_tasks.adapters.kubernetes.looking import AppLook, ending, look_at_app
from norn_tasks.adapters.kubernetes.objects.deployment import budget, deadline, deployment
from norn_tasks.adapters.kubernetes.objects.drift import compared, templates
from norn_tasks.adapters.kubernetes.objects.pause import program, program_name
from norn_tasks.adapters.kubernetes.objects.pod import needs_program, template
from norn_tasks.adapters.kubernetes.objects.reference import reference
from norn_tasks.adapters.kubernetes.objects.secret import login, login_name, secret, secret_name
from norn_tasks.adapters.kubernetes.objects.service import ports_of, service
from norn_tasks.adapters.kubernetes.site import Object, Site
from norn_tasks.domain.comparing.drift import Drift
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.ports import Workload


class Declaration:
    """The objects of one workload, as one job writes them to the cluster."""

    def __init__(self, api: Api, site: Site, writer: FencedWriter, workload: Workload, fence: Fence) -> None:
        self._api = api
        self._site = site
        self._writer = writer
        self._workload = workload
        self._fence = fence

    def look(self) -> AppLook:
        """Reads the app's objects from the cluster."""
        return look_at_app(self._api, self._workload.app, self._site.instance)

    def check(self) -> None:
        """Raises an error if the objects of the workload cannot be written; writes nothing.

        The errors are InvalidRequest, LeaseLost, RegistryFailed if no node can pull the image, and Conflict if a
        Deployment of that name is not Norn's.
        """
        look = self.look()
        if look.deployment is not None:
            marks.require_ours(look.deployment, self._workload.app, self._site.instance)
            require_fence(look.deployment, self._fence)
        self._template(look)

    def whole(self, *, live: bool = False) -> int:
        """Writes all objects; returns the seconds without progress after which the rollout counts as failed.

        `live`: this generation has passed its gate (the health test) before. Raises RegistryFailed for an image that no
        node can pull.
        """
        workload, site, fence = self._workload, self._site, self._fence
        look = self.look()
        chosen = self._template(look)
        if site.registry_login:
            self._writer.put(login(workload, site, fence))
        if workload.secrets:
            self._writer.make(secret(workload, site, fence))
        if needs_program(workload, site):
            self._writer.make(program(workload, site, fence))
        if self._exposed:
            # Until the new pods pass the gate, the old pods serve, at the port that clients know.
            self.expose(ports_of(self._api.get("Service", workload.internal_host)))
        if workload.replicas > 1:
            self._writer.put(budget(workload, site, fence))
        self._put(chosen, self._during(look), look, live=live)
        return deadline(workload, site, ending(look.pods))

    def expose(self, also: Collection[int] = ()) -> None:
        """Writes the Service, with its own ports and the ports in `also`."""
        self._writer.put(service(self._workload, self._site, self._fence, also))

    def mark_live(self) -> None:
        """Records on the Deployment that this generation passed its gate, and with how many replicas."""
        look = self.look()
        self._put(self._template(look), self._workload.replicas, look, live=True)

    def bring_back(self) -> str:
        """Restores the generation that passed its gate last; if there is none, sets 0 replicas. Returns a sentence
        about what was done.
        """
        look = self.look()
        if look.deployment is None:
            return "the Deployment is gone"
        generation = marks.number_of(look.deployment, marks.LIVE)
        before = look.template_of(generation) if generation else None
        if before is None:
            self._put(self._template(look), 0, look)
            self._writer.remove("Secret", secret_name(self._workload.app, self._workload.generation))
            self._writer.remove("PodDisruptionBudget", self._workload.app)
            if needs_program(self._workload, self._site):
                self._writer.remove("ConfigMap", program_name(self._workload.app))
            return "no release was live before: 0 replicas"
        replicas = marks.number_of(look.deployment, marks.LIVE_REPLICAS)
        self._put(before, replicas, look)
        return f"the live release is back: {replicas} wanted of generation {generation}"

    def tidy(self) -> None:
        """Removes objects that only earlier rollouts needed: Secrets, an old port or name, and a disruption budget for
        several replicas.
        """
        workload, chosen = self._workload, marks.selector(self._site.instance, self._workload.app)
        if self._exposed:
            self.expose()
        kept = {login_name(workload.app)} if self._site.registry_login else set()
        for each in self._api.all_of("Secret", chosen):
            name = each["metadata"]["name"]
            if name not in kept and marks.number_of(each, marks.GENERATION) != workload.generation:
                self._writer.remove("Secret", name)
        for each in self._api.all_of("Service", chosen):
            if workload.port is None or each["metadata"]["name"] != workload.internal_host:
                self._writer.remove("Service", each["metadata"]["name"])
        if workload.replicas < 2:
            self._writer.remove("PodDisruptionBudget", workload.app)

    def drift(self) -> tuple[Drift, ...]:
        """Compares all objects with what was written, except Secrets and volume claims, whose contents Norn never
        changes.
        """
        workload, site, fence = self._workload, self._site, self._fence
        look, name = self.look(), workload.app
        found = compared("Deployment", name, deployment(workload, {}, site, fence), look.deployment)
        if look.deployment is not None:
            kept = look.template_of(workload.generation)
            found += templates(name, kept, look.present_template) if kept is not None else ()
        if self._exposed:
            host = workload.internal_host
            found += compared("Service", host, service(workload, site, fence), self._api.get("Service", host))
        if workload.replicas > 1:
            seen = self._api.get("PodDisruptionBudget", name)
            found += compared("PodDisruptionBudget", name, budget(workload, site, fence), seen)
        return found

    @property
    def _exposed(self) -> bool:
        return self._workload.port is not None and bool(self._workload.internal_host)

    def _put(self, pods: Object, replicas: int, look: AppLook, *, live: bool = False) -> None:
        made = deployment(self._workload, pods, self._site, self._fence, ending(look.pods))
        made["spec"]["replicas"] = replicas
        made["metadata"]["annotations"] |= self._live(replicas) if live else self._live_before()
        self._writer.put(made)

    def _during(self, look: AppLook) -> int:
        """Returns how many replicas the Deployment gets until the gate is passed. With fewer replicas than are live,
        live replicas could end before the new ones serve.
        """
        wanted, seen = self._workload.replicas, look.deployment
        fresh = seen is not None and marks.number_of(seen, marks.LIVE) != self._workload.generation
        if seen is None or not fresh or not wanted or self._workload.recreate or self._workload.mounts:
            return wanted
        return max(wanted, marks.number_of(seen, marks.LIVE_REPLICAS))

    def _live(self, replicas: int) -> dict[str, str]:
        return {marks.LIVE: str(self._workload.generation), marks.LIVE_REPLICAS: str(replicas)}

    def _live_before(self) -> dict[str, str]:
        """Returns the annotations about the live generation. Every complete write of the Deployment must repeat
        them.
        """
        seen = self._api.get("Deployment", self._workload.app)
        notes = {name: marks.note_of(seen, name) for name in (marks.LIVE, marks.LIVE_REPLICAS)} if seen else {}
        return {name: note for name, note in notes.items() if note}

    def _template(self, look: AppLook) -> Object:
        """Returns the pod template with which the generation was rolled out before, or else a new one.

        Another version of Norn may build a different template, but must not roll out an app that did not change.
        """
        kept = look.template_of(self._workload.generation)
        return kept if kept is not None else template(self._workload, self._image(), self._site)

    def _image(self) -> str:
        workload = self._workload
        if workload.release == 0:
            return workload.image
        return reference(self._site, workload, f"release {workload.release}")
