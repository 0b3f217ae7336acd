"""Volumes on a Docker engine: named volumes of the engine's local driver, and directories of the host.

The local driver cannot limit the size of a volume. `KEPT_BY_PRUNE` protects volumes from an administrator's prune. If a
container mounted a missing volume, the engine would create it without Norn's labels, and Norn could not find it again.
So this module creates each volume before a container mounts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docker import APIClient

from norn_tasks.adapters.docker.client import APP, INSTANCE, KEPT_BY_PRUNE, OWNER, EngineClient
from norn_tasks.domain.errors import Conflict, InvalidRequest, NotFound
from norn_tasks.domain.host_paths import require_allowed
from norn_tasks.domain.infraspec import Volume
from norn_tasks.ports import Mount

NAME, SIZE = "norn.io/volume", "norn.io/size"


class DockerVolumes:
    """Implements `ports.Volumes` for the control plane `instance`; `roots` are the host directories that apps may
    mount.
    """

    def __init__(self, engine: EngineClient, instance: str, roots: Sequence[Path] = ()) -> None:
        self._engine = engine
        self._instance = instance
        self._roots = tuple(root.resolve() for root in roots)

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Creates missing volumes, and returns the mounts of all volumes."""
        return tuple(self._mount(app, volume) for volume in volumes)

    def of_app(self, app: str) -> tuple[str, ...]:
        """Returns the names of the app's volumes."""
        return tuple(sorted(each["Labels"][NAME] for each in self._mine(app)))

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes all of the app's volumes, and returns their names; raises Conflict if a container uses one."""
        mine = self._mine(app)
        for each in mine:
            self._remove(each["Name"], each["Labels"][NAME])
        return tuple(sorted(each["Labels"][NAME] for each in mine))

    def _mount(self, app: str, volume: Volume) -> Mount:
        if volume.host_path is not None:
            return Mount(str(self._resolved(volume, Path(volume.host_path))), volume.mount_path, host=True)
        # Names of apps and volumes may contain a dash but no dot. So with a dot between them, no two volumes get the
        # same name.
        name = f"norn-{self._instance}-{app}.{volume.name}"
        marks = {APP: app, OWNER: f"app:{app}", INSTANCE: self._instance, NAME: volume.name, SIZE: str(volume.size)}
        # If the volume exists already, the engine returns it unchanged, even with other labels.
        self._engine.briefly(lambda client: client.create_volume(name, "local", KEPT_BY_PRUNE, marks))
        return Mount(name, volume.mount_path)

    def _resolved(self, volume: Volume, path: Path) -> Path:
        resolved = path.resolve()
        require_allowed(volume, resolved, self._roots)
        if not resolved.is_dir():
            raise InvalidRequest(
                f"volumes.{volume.name}.hostPath: there is no directory {path} on the worker's machine",
                hint=f"mkdir -p {path}, on the machine of the engine",
            )
        return resolved

    def _mine(self, app: str) -> list[dict[str, Any]]:
        labels = {"label": [f"{APP}={app}", f"{INSTANCE}={self._instance}", NAME]}
        found = self._engine.briefly(lambda client: client.volumes(filters=labels))
        return list(found["Volumes"] or ())

    def _remove(self, name: str, called: str) -> None:
        def remove(client: APIClient) -> None:
            client.remove_volume(name)

        try:
            self._engine.briefly(remove)
        except NotFound:
            return
        except Conflict as error:
            raise Conflict(
                f"a container still uses the volume {called}", hint="wait for its runs to end, then ask again"
            ) from error
