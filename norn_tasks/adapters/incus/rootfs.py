"""The file system of an instance, as a tar: Norn's init, then Docker's export of the image, then the file `go`.

`go` is the last entry: a root that was unpacked incompletely lacks it, and its init starts nothing. A later entry of a
tar replaces an earlier one of the same name. So an image that contains `/.norn` is refused, because it could replace
Norn's init with another program.
"""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from norn_tasks.domain.errors import StepFailed

_OURS = ".norn"
IMPORT = "norn.import"
"""The property of an image in Incus that makes each import a different image."""


def write(file: IO[bytes], exported: Iterable[bytes], init: bytes) -> dict[str, str]:
    """Writes the tar of an instance's root; returns the contents of the image's files `passwd` and `group`, by these
    names.

    Raises StepFailed if the image contains Norn's directory.
    """
    before = io.BytesIO()
    with tarfile.open(fileobj=before, mode="w") as tar:
        _directory(tar, _OURS, 0o700)
        _directory(tar, f"{_OURS}/run", 0o700)
        _file(tar, f"{_OURS}/init", init, 0o500)
        size, ours = tar.offset, len(tar.getmembers())
    file.write(before.getvalue()[:size])
    for piece in exported:
        file.write(piece)
    file.flush()
    file.seek(0)
    with tarfile.open(fileobj=file, mode="a") as tar:
        _require_foreign(each.name for each in tar.getmembers()[ours:])
        found = {name: _text(tar, file, f"etc/{name}") for name in ("passwd", "group")}
        file.seek(tar.offset)
        _file(tar, f"{_OURS}/run/go", b"", 0o600)
    return found


def metadata(properties: dict[str, str]) -> bytes:
    """Returns the tar with the description of an image, written in JSON, which is also YAML.

    No two descriptions are equal. Incus names an image by the hash of its tars, and accepts each name only once. If two
    workers created equal images in the same second, Incus would refuse one of them.
    """
    made = io.BytesIO()
    unique = {**properties, IMPORT: uuid.uuid4().hex}
    described = {"architecture": _architecture(), "creation_date": int(time.time()), "properties": unique}
    with tarfile.open(fileobj=made, mode="w") as tar:
        _file(tar, "metadata.yaml", json.dumps(described).encode(), 0o644)
    return made.getvalue()


def _require_foreign(names: Iterable[str]) -> None:
    """Raises StepFailed if one of the names is Norn's directory, or lies in it."""
    if any(posixpath.normpath(f"/{name.lstrip('/')}").split("/")[1] == _OURS for name in names):
        raise StepFailed(
            f"the image has /{_OURS}, where Norn keeps the files of an instance",
            hint="give it another name in the image",
        )


def _architecture() -> str:
    return Path("/proc/sys/kernel/arch").read_text().strip() if Path("/proc/sys/kernel/arch").exists() else "x86_64"


def _directory(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, mode, int(time.time())
    tar.addfile(entry)


def _file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), mode, int(time.time())
    tar.addfile(entry, io.BytesIO(content))


def _text(tar: tarfile.TarFile, file: IO[bytes], name: str) -> str:
    entry = next((each for each in tar.getmembers() if each.name.lstrip("./") == name and each.isreg()), None)
    if entry is None:
        return ""
    file.seek(entry.offset_data)
    return file.read(entry.size).decode("utf-8", "replace")
