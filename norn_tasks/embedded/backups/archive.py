"""The file of a backup: a tar with a manifest, a dump of the database, and the keys. The manifest has their checksums.

The file contains secrets. So only its owner can read it (0600), and it is written atomically.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from norn_tasks.embedded.errors import BadBackup, NotStarted

FORMAT = 1
_MANIFEST, DUMP, CALLS, _KEYS = "manifest.json", "database.dump", "open-calls.jsonl", "keys/"
_LONGEST = 1024 * 1024


@dataclass(frozen=True)
class Manifest:
    """The manifest of a backup; `files` has the SHA-256 of each member by its name."""

    format: int
    norn: str
    made_at: str
    instance: str
    schema: str
    postgres: int
    files: Mapping[str, str]


@dataclass(frozen=True)
class Unpacked:
    """A complete backup, unpacked into a directory of its own: the dump, the keys by name, and the bodies of open
    calls.

    `calls` is None if the dump contains the bodies of all calls.
    """

    manifest: Manifest
    dump: Path
    keys: Mapping[str, Path]
    calls: Path | None = None


@contextmanager
def beside(file: Path) -> Iterator[Path]:
    """Yields a private directory on the same file system as `file`, and deletes it after the block; raises
    NotStarted.
    """
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{file.name}.", dir=file.absolute().parent))
    except OSError as error:
        raise NotStarted(
            f"{file} cannot be written: {error.strerror}", hint="name a file in an existing directory of yours"
        ) from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def checksums(members: Mapping[str, Path]) -> dict[str, str]:
    """Returns the SHA-256 of each member."""
    return {name: _sha256(path) for name, path in members.items()}


def members(dump: Path, keys: Mapping[str, Path], calls: Path | None = None) -> dict[str, Path]:
    """Returns the members of a backup by name."""
    own = {DUMP: dump, **({CALLS: calls} if calls is not None else {})}
    return {**own, **{_KEYS + name: path for name, path in keys.items()}}


def write(file: Path, scratch: Path, manifest: Manifest, content: Mapping[str, Path]) -> int:
    """Writes the backup and returns its size; an existing file stays until the new one is complete."""
    made, described = scratch / "backup.tar", scratch / _MANIFEST
    described.write_text(json.dumps(asdict(manifest), indent=2))
    made.touch(mode=0o600)
    with made.open("wb") as stream:
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for name, path in {_MANIFEST: described, **content}.items():
                tar.add(path, name, recursive=False, filter=_plain)
        stream.flush()
        os.fsync(stream.fileno())
    size = made.stat().st_size
    unpack(made, scratch)  # proves that the backup can be read
    made.replace(file)
    return size


def unpack(file: Path, into: Path) -> Unpacked:
    """Reads a backup into a directory; raises BadBackup if it is not a backup, or not complete."""
    place = Path(tempfile.mkdtemp(dir=into))
    try:
        with tarfile.open(file, "r:") as tar:
            manifest = _manifest(tar, file)
            paths = {name: _extract(tar, name, digest, place, file) for name, digest in manifest.files.items()}
    except (OSError, tarfile.TarError) as error:
        raise BadBackup(f"{file} cannot be read as a backup: {error}", hint="norn backup makes one") from error
    if DUMP not in paths:
        raise BadBackup(f"{file} holds no database", hint="norn backup makes a backup")
    keys = {name.removeprefix(_KEYS): path for name, path in paths.items() if name.startswith(_KEYS)}
    return Unpacked(manifest, paths[DUMP], keys, paths.get(CALLS))


def _manifest(tar: tarfile.TarFile, file: Path) -> Manifest:
    try:
        stream = tar.extractfile(_MANIFEST)
        manifest = Manifest(**json.loads(stream.read(_LONGEST) if stream else b""))
        if not _names_files(manifest.files):
            raise ValueError("files is not an object of names and checksums")
    except (KeyError, ValueError, TypeError) as error:
        raise BadBackup(f"{file} is not a backup of Norn", hint="norn backup makes one") from error
    if manifest.format != FORMAT:
        raise BadBackup(
            f"{file} has format {manifest.format}, and this Norn reads {FORMAT}", hint="install its version"
        )
    return manifest


def _names_files(files: object) -> bool:
    return isinstance(files, dict) and all(isinstance(digest, str) for digest in files.values())


def _extract(tar: tarfile.TarFile, name: str, digest: str, place: Path, file: Path) -> Path:
    """Writes one member under a name that Norn chose, so that no name in the archive becomes a path."""
    path = place / hashlib.sha256(name.encode()).hexdigest()
    path.touch(mode=0o600)
    try:
        stream = tar.extractfile(name)
    except KeyError as error:
        raise BadBackup(f"{file} is not complete: {name} is missing", hint="take an older backup") from error
    if stream is None:
        raise BadBackup(f"{file} is damaged: {name} is not a file", hint="take an older backup")
    with stream, path.open("wb") as out:
        shutil.copyfileobj(stream, out)
    if _sha256(path) != digest:
        raise BadBackup(f"{file} is damaged: {name} has the wrong checksum", hint="take an older backup")
    return path


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
