"""Volumes in memory: their names by app. Directories of the host are real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.host_paths import require_allowed
from norn_tasks.domain.infraspec import Volume
from norn_tasks.ports import Mount


@dataclass
class FakeVolumes:
    """A fake of `ports.Volumes`. Tests read `there`: names by app. `used`: apps whose volumes a container uses."""

    roots: tuple[Path, ...] = ()
    there: dict[str, set[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def ready(self, app: str, volumes: Sequence[Volume]) -> tuple[Mount, ...]:
        """Makes the missing volumes, and returns where each is mounted."""
        return tuple(self._mount(app, volume) for volume in volumes)

    def of_app(self, app: str) -> tuple[str, ...]:
        """Lists the app's volumes."""
        return tuple(sorted(self.there.get(app, ())))

    def remove(self, app: str) -> tuple[str, ...]:
        """Removes all of the app's volumes, and returns their names; raises Conflict while a container uses one."""
        if app in self.used and self.there.get(app):
            raise Conflict("a container still uses the volume")
        return tuple(sorted(self.there.pop(app, ())))

    def _mount(self, app: str, volume: Volume) -> Mount:
        if volume.host_path is None:
            self.there.setdefault(app, set()).add(volume.name)
            return Mount(f"{app}.{volume.name}", volume.mount_path)
        resolved = Path(volume.host_path).resolve()
        require_allowed(volume, resolved, [root.resolve() for root in self.roots])
        if not resolved.is_dir():
            raise InvalidRequest(f"there is no directory {volume.host_path}")
        return Mount(str(resolved), volume.mount_path, host=True)
