"""The runtime `docker`: one container for every cron run, function call and test, on the local engine.

The order of things is the promise (reliability.md, "Fencing outside the database"): created, recorded, fed, begun,
started, read, ended, removed. The end of the output is never taken for the end of the container: only the engine's own
word is.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from docker import APIClient

from norn_tasks.adapters import networks
from norn_tasks.adapters.engine import ENGINE, FENCE, INSTANCE, OWNER, Engine, moment
from norn_tasks.adapters.runtimes import hardening
from norn_tasks.adapters.runtimes.container import Container
from norn_tasks.adapters.runtimes.deadline import Deadline
from norn_tasks.adapters.runtimes.withdrawal import Withdrawal
from norn_tasks.domain.errors import Conflict, EngineDown, LeaseLost, NotFound, ReleaseGone
from norn_tasks.domain.execution import Ended
from norn_tasks.ports import Hooks, Run, SeenContainer, Watch

IDENTITY = "norn-engine"


class DockerRuntime:
    """Keeps `ports.Runtime` on a docker engine."""

    name = "docker"

    def __init__(self, engine: Engine, instance: str = "") -> None:
        """`instance` names the control plane: several may share an engine, and each sees only its own."""
        self._engine = engine
        self._instance = instance
        self._network_made = False

    def run(self, run: Run, hooks: Hooks, watch: Watch) -> Ended:
        """Creates, records, begins, starts, feeds, reads, waits, removes."""
        container = Container(self._engine, self._create(run, watch), run, watch, begun=False)
        with container.owned():
            hooks.created(container.id)
            watch.stop.check()
            return container.live(hooks)

    def adopt(self, run: Run, container: str, watch: Watch) -> Ended | None:
        """Waits for a container that an earlier owner started, takes its output, removes it."""
        adopted = Container(self._engine, container, run, watch, begun=True)
        withdrawal = Withdrawal(self._engine, container, watch.stop)
        state = adopted.look()
        if state is not None and moment(state["StartedAt"]) is None and withdrawal.removed():
            return Ended(None, never_started=True) if withdrawal.never_started() else None
        state = adopted.look()
        if state is None:
            return None
        with adopted.owned():
            started = moment(state["StartedAt"])
            if started is None:
                return None
            age = (self._engine.now(watch.stop) - started).total_seconds() if state["Running"] else 0
            deadline = Deadline(run.timeout - age, run.grace)
            last = adopted.await_end(deadline)
            return adopted.ended(last, adopted.logged(), deadline) if last is not None else None

    def remove(self, container: str) -> None:
        """Ends and removes a container, and returns when the engine says it is gone."""
        self._engine.take_away(container)

    def identity(self) -> str:
        """Answers the engine's id, which Norn leaves in it."""
        try:
            volume = self._engine.briefly(lambda client: client.inspect_volume(IDENTITY))
        except NotFound:
            # Two workers may come here at once: the engine keeps the first, and both read it back.
            mark = {ENGINE: str(uuid.uuid4()), OWNER: "norn"}
            self._engine.briefly(lambda client: client.create_volume(IDENTITY, labels=mark))
            volume = self._engine.briefly(lambda client: client.inspect_volume(IDENTITY))
        found: str | None = (volume["Labels"] or {}).get(ENGINE)
        if found is None:
            raise EngineDown(
                f"the engine has a volume {IDENTITY} that is not Norn's", hint=f"docker volume rm {IDENTITY}"
            )
        return found

    def seen(self) -> tuple[SeenContainer, ...]:
        """Lists all containers that carry an owner of ours."""
        now = self._engine.now()
        found = self._engine.briefly(
            lambda client: client.containers(all=True, filters={"label": [OWNER, f"{INSTANCE}={self._instance}"]})
        )
        return tuple(
            SeenContainer(
                id=each["Id"],
                name=each["Names"][0].lstrip("/") if each["Names"] else "",
                owner=each["Labels"][OWNER],
                running=each["State"] in ("running", "paused", "restarting"),
                age=max(0.0, (now - datetime.fromtimestamp(each["Created"], UTC)).total_seconds()),
            )
            for each in found
        )

    def _create(self, run: Run, watch: Watch) -> str:
        if run.network != "none" and not self._network_made:
            networks.ensure(self._engine, hardening.NETWORK, talk=False)
            self._network_made = True
        try:
            return self._created(run, watch)
        except Conflict:
            self._clear(run, watch)
            return self._created(run, watch)

    def _created(self, run: Run, watch: Watch) -> str:
        def create(client: APIClient) -> str:
            made: str = client.create_container(**hardening.container(client, run, watch.fence, self._instance))["Id"]
            return made

        try:
            return self._engine.promptly(create, watch.stop, late=self.remove)
        except NotFound as error:
            raise ReleaseGone(
                f"the image {run.image} of {run.app} is not on this engine any more", hint=f"norn deploy {run.app}"
            ) from error

    def _clear(self, run: Run, watch: Watch) -> None:
        """Takes away what an earlier try of the same owner left under our name; never a later owner's container."""
        try:
            found = self._engine.briefly(lambda client: client.inspect_container(run.name))
        except NotFound:
            return
        labels = found["Config"]["Labels"] or {}
        if labels.get(OWNER) != run.owner:
            raise Conflict(
                f"a container that is not of {run.owner} has the name {run.name}", hint=f"docker rm -f {run.name}"
            )
        if int(labels.get(FENCE, 0)) > watch.fence.token:
            raise LeaseLost(f"a later owner of job {watch.fence.job} has made {run.name}")
        self.remove(found["Id"])
