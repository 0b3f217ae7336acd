"""Uploaded sources in memory: trees by app and revision."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.domain.errors import SourceError
from norn_tasks.ports import Checkout, Watch
from tests.fakes.directories import written


@dataclass
class FakeSources:
    """A fake of `ports.Sources`. Tests set `kept`: the files of each upload."""

    kept: dict[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)

    def checkout(self, app: str, revision: str, into: Path, watch: Watch) -> Checkout:
        """Writes the files of an upload; raises SourceError if the upload is not kept."""
        watch.stop.check()
        if (app, revision) not in self.kept:
            raise SourceError(f"the uploaded source {revision} of {app} is not kept any more")
        shutil.rmtree(into, ignore_errors=True)
        written(self.kept[app, revision], into)
        return Checkout(into, revision)
