"""Apps in NORN_APPS_DIR: reads each infraspec.yaml and infraspec.<name>.yaml in the directories there.

A file is read again only if its size or its times changed. A broken infraspec is listed with its mistakes, under the
app name in the file or, if that cannot be read, under the name of the directory.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from norn_tasks.domain.errors import InvalidRequest, Mistake, SpecInvalid
from norn_tasks.domain.infraspec import MAX_BYTES, Infraspec, app_named, decode, parse, spec_names
from norn_tasks.domain.names import app_name


@dataclass(frozen=True)
class SpecFile:
    """An app of a directory: its spec, or None and the mistakes in it."""

    name: str
    directory: Path
    spec: Infraspec | None
    mistakes: tuple[Mistake, ...] = ()
    file: str = ""
    """The path of the file within NORN_APPS_DIR."""


@dataclass(frozen=True)
class _Stamp:
    """The attributes that change when a file changes."""

    path: Path
    shown: str
    size: int
    modified: int
    changed: int


def read(apps_dir: Path | None) -> tuple[SpecFile, ...]:
    """Returns every app of the directory, by name; files with the same app name are all returned as broken."""
    found = [_read(stamp) for stamp in _stamps(apps_dir)]
    times = Counter(app.name for app in found)
    marked = [_twice(app, found) if times[app.name] > 1 else app for app in found]
    return tuple(sorted(marked, key=lambda app: (app.name, str(app.directory))))


def find(apps_dir: Path | None, name: str) -> SpecFile | None:
    """Returns the app with that name; None if no file has it."""
    return next((app for app in read(apps_dir) if app.name == name), None)


def _stamps(apps_dir: Path | None) -> list[_Stamp]:
    if apps_dir is None:
        return []
    try:
        directories = sorted(entry for entry in apps_dir.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []
    return [stamp for directory in directories for stamp in _stamps_in(directory)]


def _stamps_in(directory: Path) -> list[_Stamp]:
    try:
        names = spec_names(entry.name for entry in directory.iterdir())
    except OSError:
        return []
    return [stamp for name in names if (stamp := _stamp(directory / name)) is not None]


def _stamp(path: Path) -> _Stamp | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return _Stamp(path, f"{path.parent.name}/{path.name}", seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


@lru_cache(maxsize=2048)
def _read(stamp: _Stamp) -> SpecFile:
    directory = stamp.path.parent.absolute()
    content = b""
    try:
        with stamp.path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        spec = parse(decode(content, stamp.shown), stamp.shown)
    except SpecInvalid as error:
        return SpecFile(_name(content, stamp.path.parent.name), directory, None, error.mistakes, stamp.shown)
    except OSError as error:
        mistake = Mistake(
            stamp.shown, 1, 1, "yaml", f"the file cannot be read: {error.strerror}", "check its permissions"
        )
        return SpecFile(_name(content, stamp.path.parent.name), directory, None, (mistake,), stamp.shown)
    return SpecFile(spec.app, directory, spec, file=stamp.shown)


def _name(content: bytes, fallback: str) -> str:
    """Returns the app name in a broken infraspec; otherwise a name made from that of its directory; `broken` if neither
    is valid.
    """
    for name in (app_named(content), re.sub(r"[^a-z0-9]+", "-", fallback.lower()).strip("-")[:40]):
        try:
            return app_name(name)
        except InvalidRequest:
            continue
    return "broken"


def _twice(app: SpecFile, found: list[SpecFile]) -> SpecFile:
    others = ", ".join(_place(other, app) for other in found if other.name == app.name and other is not app)
    mistake = Mistake(
        app.file, 1, 1, "app", f"{app.name} is also the name of {others}", "give each app a name of its own"
    )
    return replace(app, spec=None, mistakes=(*app.mistakes, mistake))


def _place(other: SpecFile, app: SpecFile) -> str:
    return other.file if other.directory == app.directory else str(other.directory)
