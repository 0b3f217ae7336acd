"""Incus as a container engine of Norn: its identity, and the instances of this control plane on it."""

from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

from norn_tasks.adapters.incus import hardening
from norn_tasks.adapters.incus.api import IncusApi, again
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed
from norn_tasks.ports import RunsReach, SeenContainer

IDENTITY = "user.norn.engine"
"""The configuration key of the Incus project that holds the engine's id."""
_APART = {"features.images": "true", "features.profiles": "true"}
_ALIVE = ("Running", "Frozen", "Ready")
_WITHIN = 60


class IncusEngine:
    """Implements `ports.Engine`. Several control planes may share an Incus; `instance` is the id of this one, which
    uses only containers that are labelled with it.
    """

    name = "incus"

    def __init__(self, api: IncusApi, instance: str = "") -> None:
        self.api, self.instance = api, instance

    def identity(self) -> str:
        """Returns the engine's id, which is a configuration key of Norn's project; creates the project if it is
        missing.
        """
        return self.api.briefly(self._identity)

    def containers(self) -> tuple[SeenContainer, ...]:
        """Lists all instances of this control plane whose label names an owner."""
        now = datetime.now(UTC)
        return tuple(
            SeenContainer(
                id=each["name"],
                name=each["config"].get(hardening.NAME, each["name"]),
                owner=each["config"][hardening.OWNER],
                running=each["status"] in _ALIVE,
                age=max(0.0, (now - datetime.fromisoformat(each["created_at"])).total_seconds()),
            )
            for each in self.api.briefly(lambda: self.labelled(hardening.INSTANCE, self.instance))
            if hardening.OWNER in each["config"]
        )

    def remove(self, container: str) -> None:
        """Ends and removes the instances with this id or name, and returns when Incus no longer has them."""
        self.api.briefly(lambda: self.take_away(container), _WITHIN)
        for each in self.api.briefly(lambda: self.labelled(hardening.NAME, container)):
            if each["config"].get(hardening.INSTANCE, "") == self.instance:
                self.api.briefly(partial(self.take_away, each["name"]), _WITHIN)

    def reach(self) -> RunsReach:
        """Returns a RunsReach that says that nothing was tested; docs/incus.md says what containers on the bridge can
        reach.
        """
        return RunsReach("")

    def labelled(self, key: str, value: str) -> list[dict[str, Any]]:
        """Returns the instances whose label `key` has this value."""
        try:
            found: list[dict[str, Any]] = self.api.get("/1.0/instances", recursion="1")
        except NotFound:  # the project was not created yet
            return []
        return [each for each in found if each["config"].get(key, "") == value]

    def take_away(self, instance: str, within: float = _WITHIN) -> None:
        """Stops and removes the instance with this id, if it exists. Raises EngineDown if Incus has not removed it
        after `within` seconds.
        """
        try:
            again(lambda: self._delete(instance), within)
        except (Conflict, StepFailed) as error:
            said = error.facts.get("said", error.sentence)
            raise EngineDown(
                f"Incus has not removed the instance {instance}: {said}", hint=f"incus info {instance}"
            ) from error

    def _delete(self, instance: str) -> None:
        path = f"/1.0/instances/{instance}"
        try:
            with contextlib.suppress(StepFailed, Conflict):  # it is stopped already, or is just stopping
                self.api.change("PUT", f"{path}/state", {"action": "stop", "force": True, "timeout": -1})
            self.api.change("DELETE", path)
        except NotFound:
            return

    def _identity(self) -> str:
        path = f"/1.0/projects/{self.api.project}"
        try:
            config = self.api.get(path)["config"]
        except NotFound:
            mark = {IDENTITY: str(uuid.uuid4())}
            with contextlib.suppress(Conflict):  # two workers may create it at the same time: Incus keeps the first one
                self.api.change("POST", "/1.0/projects", {"name": self.api.project, "config": {**_APART, **mark}})
            config = self.api.get(path)["config"]
        if IDENTITY not in config:
            raise EngineDown(
                f"Incus has a project {self.api.project} that is not Norn's", hint="set NORN_INCUS_PROJECT to another"
            )
        return str(config[IDENTITY])
