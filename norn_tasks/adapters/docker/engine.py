"""The Docker engine as a container engine of Norn: its identity, and the containers of this control plane on it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from norn_tasks.adapters.docker.client import ENGINE, INSTANCE, KEPT_BY_PRUNE, OWNER, EngineClient
from norn_tasks.adapters.docker.runs_reach import ReachProbe
from norn_tasks.domain.errors import EngineDown, NotFound
from norn_tasks.ports import RunsReach, SeenContainer

IDENTITY = "norn-engine"
"""The volume whose label is the engine's id."""
_ANSWERS_WITHIN = 4.0
"""Seconds after which an engine that has not returned its id counts as unreachable, so that an engine that hangs delays
few jobs.
"""
_ALIVE = ("running", "paused", "restarting")


class DockerEngine:
    """Implements `ports.Engine`. Several control planes may share an engine; `instance` is the id of this one, which
    sees only its own containers.
    """

    def __init__(self, client: EngineClient, instance: str = "", name: str = "docker") -> None:
        self.client, self.instance, self.name = client, instance, name
        self._reach = ReachProbe(client, instance)

    def identity(self) -> str:
        """Returns the engine's id from the label of a volume on it; makes the volume if it is missing."""
        try:
            volume = self.client.briefly(lambda client: client.inspect_volume(IDENTITY), _ANSWERS_WITHIN)
        except NotFound:
            # Two workers may create the volume at the same time: the engine keeps the first one, and both workers read
            # it.
            mark = {ENGINE: str(uuid.uuid4()), OWNER: "norn"}
            self.client.briefly(lambda client: client.create_volume(IDENTITY, "local", KEPT_BY_PRUNE, mark))
            volume = self.client.briefly(lambda client: client.inspect_volume(IDENTITY))
        found: str | None = (volume["Labels"] or {}).get(ENGINE)
        if found is None:
            raise EngineDown(
                f"the engine has a volume {IDENTITY} that is not Norn's", hint=f"docker volume rm {IDENTITY}"
            )
        return found

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists all containers whose labels name an owner and this control plane."""
        now = self.client.now()
        ours = {"label": [OWNER, f"{INSTANCE}={self.instance}"]}
        found = self.client.briefly(lambda client: client.containers(all=True, filters=ours))
        return tuple(
            SeenContainer(
                id=each["Id"],
                name=each["Names"][0].lstrip("/") if each["Names"] else "",
                owner=each["Labels"][OWNER],
                running=each["State"] in _ALIVE,
                age=max(0.0, (now - datetime.fromtimestamp(each["Created"], UTC)).total_seconds()),
            )
            for each in found
        )

    def remove(self, container: str) -> None:
        """Kills and removes a container, and returns when the engine no longer has it."""
        self.client.take_away(container)

    def reach(self) -> RunsReach:
        """Returns which addresses the containers of runs can reach."""
        return self._reach.look()
