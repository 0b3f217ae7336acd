"""The images in the nest. Each has a read-only root file system, made of layers that are unpacked once, and the facts
that its runs need.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from norn_tasks.adapters.incus.users import resolved
from norn_tasks.adapters.nest.program import kernel
from norn_tasks.adapters.nest.program.roots import layers
from norn_tasks.adapters.nest.program.sandbox import FIRST_ID

_ROOTS = Path("/run/nest/roots")
"""The directory in memory where root file systems are mounted. After a restart the nest mounts them again."""
TRIAL = "trial"
_BUSYBOX = Path("/bin/busybox")
_APPLETS = (
    "sh", "cat", "chroot", "dmesg", "grep", "head", "id", "ls", "mkdir", "mknod", "mount", "ps", "touch", "unshare"
)  # fmt: skip
_DIRECTORIES = ("/dev", "/proc", "/sys", "/tmp", "/etc")  # noqa: S108 - paths inside an image
_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


class NestImageStore:
    """The images below a directory; each has the id that Docker gave it."""

    def __init__(self, store: Path) -> None:
        self._layers, self._facts = store / "l", store / "i"
        self._lock, self._bringing = threading.Lock(), threading.Lock()
        """Runs wait for the first lock, so it is only held briefly; `bring` holds the second one for minutes."""
        self._ready: dict[str, tuple[dict[str, Any], str]] = {}
        for directory in (self._layers, self._facts, _ROOTS):
            directory.mkdir(parents=True, exist_ok=True)
        for cut_off in self._layers.glob(".*"):
            shutil.rmtree(cut_off, ignore_errors=True)
        for beside in self._facts.glob("*.new"):
            beside.unlink()
        self._make_trial()

    def ready(self, image: str) -> tuple[dict[str, Any], str] | None:
        """Returns the facts and the root directory of an image; None if the nest does not have it. Raises OSError."""
        known = self._ready.get(image)
        if known is not None:
            return known
        with self._lock:
            return self._ready.get(image) or self._opened(image)

    def bring(self, image: str, record: dict[str, Any], ask: Callable[[], IO[bytes]]) -> None:
        """Unpacks the layers of an image that are missing, and stores `record`, the facts of the image. Does nothing if
        the nest has the image already; otherwise calls `ask`, which returns the saved image.

        Raises ValueError or OSError.
        """
        wanted = set(record["layers"])
        with self._bringing:
            if (self._facts / image).exists():
                return
            stream = ask()
            layers.unpack(stream, self._layers, wanted)
            missing = [each for each in wanted if not layers.directory_of(self._layers, each).exists()]
            if missing:
                raise ValueError(f"the engine did not give the layer {missing[0]}")
            file = self._facts / image
            beside = file.with_suffix(".new")
            beside.write_text(json.dumps(record))
            with self._lock:
                beside.rename(file)

    def prune(self, app: str, keep: Iterable[str]) -> int:
        """Removes the app's images except those in `keep`, and layers that no image uses; returns the number of removed
        images.
        """
        kept = set(keep)
        with self._lock:
            files = [file for file in self._facts.iterdir() if file.suffix != ".new"]
            records = {file.name: json.loads(file.read_text()) for file in files}
            gone = [name for name, record in records.items() if record["app"] == app and name not in kept]
            for name in gone:
                self._ready.pop(name, None)
                kernel.unmount(str(_ROOTS / name))
                (self._facts / name).unlink()
                del records[name]
            # While an image is copied, its layers exist before its record does. Layers that stay unused are removed by
            # a later prune.
            if self._bringing.acquire(blocking=False):
                try:
                    self._remove_unused_layers(records.values())
                finally:
                    self._bringing.release()
        return len(gone)

    def _remove_unused_layers(self, records: Iterable[dict[str, Any]]) -> None:
        used = {layers.directory_of(self._layers, each) for record in records for each in record["layers"]}
        for directory in set(self._layers.iterdir()) - used:
            shutil.rmtree(directory, ignore_errors=True)

    def _make_trial(self) -> None:
        """Creates the image with which workers test the nest, from the static busybox in the nest's own image."""
        programs = self._layers / TRIAL / "bin"
        shutil.rmtree(programs.parent, ignore_errors=True)
        programs.mkdir(parents=True)
        shutil.copy(_BUSYBOX, programs / "busybox")
        for name in _APPLETS:
            (programs / name).symlink_to("busybox")
        for path in (programs.parent, programs, programs / "busybox"):
            os.chown(path, FIRST_ID, FIRST_ID)
        record = {"app": "", "layers": [TRIAL], "user": "", "argv": [], "env": [], "directory": "/", "volumes": []}
        (self._facts / TRIAL).write_text(json.dumps(record))

    def _opened(self, image: str) -> tuple[dict[str, Any], str] | None:
        try:
            record = json.loads((self._facts / image).read_text())
        except FileNotFoundError:
            return None
        root = _ROOTS / image
        self._mount(record, root)
        user = resolved(record["user"], _read(root, "passwd"), _read(root, "group"))
        if user is None:
            raise ValueError("the image's USER is not in its /etc/passwd or /etc/group")
        record["user"] = asdict(user)
        self._ready[image] = record, str(root)
        return self._ready[image]

    def _mount(self, record: dict[str, Any], root: Path) -> None:
        """Mounts the layers, and on top of them a layer of Norn's with the mount points that they lack."""
        below = [str(layers.directory_of(self._layers, each)) for each in reversed(record["layers"])]
        top = root.with_name(f"{root.name}.top")
        shutil.rmtree(top, ignore_errors=True)
        for directory in (root, top):
            kernel.unmount(str(directory))
            directory.mkdir(exist_ok=True)
        _overlay(root, [str(top), *below])
        try:
            _copy_owner(root, top)
            for path in (*_DIRECTORIES, record["directory"], *record["volumes"]):
                _point(top, root, path, directory=True)
            for path in _FILES:
                _point(top, root, path, directory=False)
        finally:
            kernel.unmount(str(root))
        _overlay(root, [str(top), *below])


def _overlay(at: Path, lower: list[str]) -> None:
    flags = kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES
    kernel.mount("overlay", str(at), "overlay", flags, f"lowerdir={':'.join(lower)}")


def _point(top: Path, merged: Path, path: str, *, directory: bool) -> None:
    """Creates a mount point in Norn's layer if the image does not have it. A link in the image that leads to a
    directory is kept.

    A link to a file may lead nowhere, as resolv.conf often does; an empty file in Norn's layer hides such a link.
    """
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    for depth in range(1, len(parts) + 1):
        here, there = top.joinpath(*parts[:depth]), merged.joinpath(*parts[:depth])
        last = depth == len(parts)
        if there.is_symlink() and (directory or not last):
            return
        if last and os.path.lexists(there) and not there.is_symlink():
            return
        if last and not directory:
            here.touch(mode=0o644)
            os.chown(here, FIRST_ID, FIRST_ID)
        elif not here.exists():
            here.mkdir(mode=0o755)
            os.chown(here, FIRST_ID, FIRST_ID)
            if there.exists():
                _copy_owner(there, here)


def _copy_owner(source: Path, target: Path) -> None:
    status = source.stat()
    os.chown(target, status.st_uid, status.st_gid)
    target.chmod(status.st_mode & 0o7777)


def _read(root: Path, name: str) -> str:
    """Returns a file from the image's /etc, without following links in the image."""
    text = ""
    with contextlib.suppress(OSError):
        etc = os.open(root / "etc", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=etc)
            with os.fdopen(file, "r", errors="replace") as opened:
                text = opened.read()
        finally:
            os.close(etc)
    return text
