"""The endpoints of databases."""

from __future__ import annotations

from pathlib import Path

from norn_cli.answers import Json
from norn_cli.client.transport import Transport, app_path

_PIECE = 2**20


class DatabasesClient(Transport):
    """The databases of apps, their snapshots and their backups."""

    def databases(self) -> Json:
        """Lists the databases of all apps."""
        return self._get("/api/databases")

    def snapshots(self, app: str) -> Json:
        """Lists the snapshots of an app's database."""
        return self._get(app_path(app, "snapshots"))

    def take_snapshot(self, app: str, *, backup: bool) -> Json:
        """Requests a snapshot or a backup; returns the accepted job."""
        return self._send("POST", app_path(app, "snapshots"), json={"backup": backup})

    def restore_snapshot(self, app: str, snapshot: int) -> Json:
        """Requests a restore; returns the accepted job."""
        return self._send("POST", app_path(app, f"snapshots/{snapshot}/restore"), json={})

    def drill_backup(self, app: str) -> Json:
        """Requests a drill of the newest backup; returns the accepted job."""
        return self._send("POST", app_path(app, "drill"), json={})

    def download_snapshot(self, app: str, snapshot: int, target: Path) -> int:
        """Writes the file of a snapshot; returns its size. A file that did not arrive completely is removed."""
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        try:
            path = app_path(app, f"snapshots/{snapshot}/file")
            with self._open(path, {}, {}, read=self._read) as response, part.open("wb") as file:
                for piece in response.iter_bytes(_PIECE):
                    file.write(piece)
                size = file.tell()
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
        return size
