"""Volumes on a docker engine: named volumes of its local driver, labelled for their app, and directories of the host.

The local driver enforces no size of a volume. A prune by an administrator leaves volumes alone (`KEPT_BY_PRUNE`). If a
container mounted a volume that does not exist, the engine would make it without our labels, and Norn could not find it
again. So each volume is made here first.
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
    """Implements `ports.Volumes` for the control plane `instance`; `roots`: host directories that may be mounted."""

    def __init__(self, engine: EngineClient, instance: str, roots: Sequence[Path] = ()) -> None:
        self._engine = engine
        self._instance = instance
        self._roots = tuple(root.resolve() for root in roots)

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Makes missing volumes, and returns their mounts."""
        return tuple(self._mount(app, volume) for volume in volumes)

    def of_app(self, app: str) -> tuple[str, ...]:
        """Lists the app's volumes."""
        return tuple(sorted(each["Labels"][NAME] for each in self._mine(app)))

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes all of the app's volumes."""
        mine = self._mine(app)
        for each in mine:
            self._remove(each["Name"], each["Labels"][NAME])
        return tuple(sorted(each["Labels"][NAME] for each in mine))

    def _mount(self, app: str, volume: Volume) -> Mount:
        if volume.host_path is not None:
            return Mount(str(self._resolved(volume, Path(volume.host_path))), volume.mount_path, host=True)
        # Names of apps and volumes may contain a dash, but no dot: so no two volumes share a name.
        name = f"norn-{self._instance}-{app}.{volume.name}"
        marks = {APP: app, OWNER: f"app:{app}", INSTANCE: self._instance, NAME: volume.name, SIZE: str(volume.size)}
        # If the volume exists, the engine returns it unchanged, whatever its labels.
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
