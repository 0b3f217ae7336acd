"""The paths of `norn up`: one data directory that no other user can read, and a directory with a short path for
sockets.

Directories are 0700 and files 0600. There is one exception: PostgreSQL refuses to run as root. So if Norn runs as root,
the group of the account that runs the stores may pass through the data directory (0710, no listing) to its own
subdirectories.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.embedded.errors import NotStarted

SOCKET_DIRECTORY_MAX = 80
"""The longest path, in bytes, of the directory for sockets. A socket's path may have 107 bytes, and the supervisor
appends a pid to its name.
"""


_ELSEWHERE = "name a directory of your own: NORN_DATA_DIR=~/norn norn up"


@dataclass(frozen=True)
class DataPaths:
    """The paths of one Norn; `run` is where its sockets are."""

    data: Path
    run: Path

    @property
    def lock(self) -> Path:
        """The lock file, which is held as long as Norn runs here."""
        return self.data / "lock"

    @property
    def token(self) -> Path:
        """The first token, which the CLI finds by itself."""
        return self.data / "token"

    @property
    def postgres(self) -> Path:
        """The data directory of PostgreSQL (its cluster)."""
        return self.data / "postgres"

    @property
    def log(self) -> Path:
        """The directory of the logs, one per process."""
        return self.data / "log"

    @property
    def configuration(self) -> Path:
        """The supervisor's configuration file."""
        return self.data / "supervisord.conf"

    @property
    def control(self) -> Path:
        """The supervisor's control socket."""
        return self.run / "supervisor.sock"

    @property
    def broker(self) -> Path:
        """The broker's configuration, with its password."""
        return self.run / "broker.conf"

    @property
    def stores(self) -> Path:
        """The directory of PostgreSQL's socket; it belongs to the account that runs the stores."""
        return self.run / "stores"


def data_paths(data_dir: Path) -> DataPaths:
    """Returns the paths of a data directory; creates nothing."""
    data = data_dir.expanduser().resolve()
    run = data / "run"
    plain = re.fullmatch(r"[\w/.+-]+", str(run), re.ASCII)
    return DataPaths(data, run if plain and len(os.fsencode(run)) <= SOCKET_DIRECTORY_MAX else _short(data))


def make(where: DataPaths) -> None:
    """Creates Norn's private directories; raises NotStarted if that fails."""
    if re.search(r"[%\n]|\s[;#]", str(where.data)):
        raise NotStarted(f"the supervisor cannot write down the path {str(where.data)!r}", hint=_ELSEWHERE)
    try:
        where.data.parent.mkdir(parents=True, exist_ok=True)
        for directory in (where.data, where.run, where.log):
            _private(directory)
    except OSError as error:
        raise NotStarted(
            f"the data directory {where.data} cannot be used: {error.strerror} ({error.filename})",
            hint=_ELSEWHERE,
        ) from error


def _private(directory: Path) -> None:
    """Creates a private directory. An existing directory must belong to this user, and be closed to others unless it is
    empty.
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise NotStarted(f"{directory} is not a directory of yours", hint=_ELSEWHERE)
    if not any(directory.iterdir()):
        directory.chmod(0o700)
    elif found.st_mode & (0o067 if os.geteuid() == 0 else 0o077):
        raise NotStarted(
            f"{directory} is open to others, and Norn keeps tokens and a database there",
            hint=f"chmod 700 {directory} if nothing else needs it, or {_ELSEWHERE}",
        )


def _short(data: Path) -> Path:
    """Returns a directory with a short path for sockets; it is always the same for the same data directory and user."""
    base = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108 - checked to be ours
    return base / f"norn-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:8]}"
