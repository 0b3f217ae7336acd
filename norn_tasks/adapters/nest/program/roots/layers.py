"""The layers of images. Each is unpacked once, and images share it. A layer gets its final name when it is complete."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path
from typing import IO

_CHUNK = 1 << 20
_SMALLEST = 1024
"""The size of the smallest tar archive in bytes; a smaller file in a saved image is not a layer."""
_UNPACK = "norn_tasks.adapters.nest.program.roots.unpack"
_NAME = 24
"""How many characters of a layer's digest its directory name has. They are few, because the paths of all layers of one
mount must fit into one page of memory.
"""


def unpack(stream: IO[bytes], store: Path, wanted: set[str]) -> None:
    """Unpacks the layers of a saved image that are in `wanted` and not yet in the store; raises ValueError or
    OSError.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|") as outer:
            for member in outer:
                layer = outer.extractfile(member) if member.isreg() and member.size >= _SMALLEST else None
                if layer is not None:
                    _take(layer, store, wanted)
    except tarfile.TarError as error:
        raise ValueError(f"the saved image is not complete: {error}") from error
    while stream.read(_CHUNK):
        continue


def directory_of(store: Path, digest: str) -> Path:
    """Returns the directory of a layer."""
    return store / digest[:_NAME]


def _take(layer: IO[bytes], store: Path, wanted: set[str]) -> None:
    made = store / f".{uuid.uuid4().hex}"
    made.mkdir()
    try:
        digest = _digest(layer, made)
        if digest in wanted and not directory_of(store, digest).exists():
            made.rename(directory_of(store, digest))
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _digest(layer: IO[bytes], into: Path) -> str:
    """Unpacks an archive, and returns its digest; empty if the archive is not a layer."""
    argv = [sys.executable, "-m", _UNPACK, str(into)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            shutil.copyfileobj(layer, child.stdin, _CHUNK)
            child.stdin.close()
        except BrokenPipeError:
            raise ValueError("a layer of the image could not be unpacked") from None
        digest = child.stdout.read().decode().strip()
    if child.returncode:
        raise ValueError("a layer of the image could not be unpacked")
    return digest
