"""A fake of app directories in memory; their paths do not exist on disk."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.domain.errors import SourceError
from norn_tasks.ports import Checkout, Watch

Files = Mapping[str, bytes]


def written(files: Files, into: Path) -> None:
    """Writes files, by relative path, into a directory."""
    into.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        (into / name).write_bytes(content)


@dataclass
class FakeDirectories:
    """A fake of `ports.Directories`. Tests set `trees`: the files that this machine sees, by directory."""

    trees: dict[Path, Files] = field(default_factory=dict)
    most: int = 64 * 2**20

    def checkout(self, origin: Path, into: Path, watch: Watch) -> Checkout:
        """Writes the files into a directory, and returns a revision that is computed from their content."""
        watch.stop.check()
        if origin not in self.trees:
            raise SourceError(f"this worker does not see the directory {origin}")
        files = self.trees[origin]
        if sum(map(len, files.values())) > self.most:
            raise SourceError(f"{origin} is larger than {self.most // 2**20} MiB")
        shutil.rmtree(into, ignore_errors=True)
        written(files, into)
        return Checkout(into, f"dir-{hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]}")
