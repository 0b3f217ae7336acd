"""Reports in the edge's directory: why the edge does not serve, and why a name has no certificate.

`norn doctor` reads the first report. A forge, and each later observation of a public name, reads the second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from norn_tasks.domain.errors import NornError

STATE, FAULTS = "state.json", "faults.json"
FAULTS_MAX = 200


@dataclass(frozen=True)
class EdgeState:
    """The state of the edge. If it does not serve, a sentence says why, with a hint."""

    sentence: str = ""
    hint: str = ""


class Reports:
    """The files of one edge's directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._faults: dict[str, tuple[str, float]] = {}

    def serving(self) -> None:
        """Reports that the edge serves requests."""
        _write(self._directory / STATE, {"sentence": "", "hint": ""})

    def trouble(self, error: NornError) -> None:
        """Reports why the edge does not serve."""
        _write(self._directory / STATE, {"sentence": error.sentence, "hint": error.hint})

    def read_line(self, line: bytes) -> None:
        """Reads a line of Caddy's log. If the line says why a name got no certificate, the reason is stored until the
        name has one.
        """
        try:
            read = json.loads(line)
            name, logger = read.get("identifier"), str(read.get("logger", ""))
        except (ValueError, AttributeError):
            return
        if not isinstance(name, str) or not logger.startswith("tls"):
            return
        if read.get("level") == "error" and read.get("error"):
            self._faults.pop(name, None)
            self._faults[name] = str(read["error"])[:500], time.time()
            while len(self._faults) > FAULTS_MAX:
                self._faults.pop(next(iter(self._faults)))
        elif "obtained" not in str(read.get("msg")) or self._faults.pop(name, None) is None:
            return
        _write(self._directory / FAULTS, self._faults)


def state(directory: Path) -> EdgeState | None:
    """Returns the last report of the edge; None before the first one."""
    try:
        return EdgeState(**json.loads((directory / STATE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Replaces a file without following links. Root writes here too, and the owner of the directory could have created
    a link.
    """
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as out:
        out.write(json.dumps(content))
    part.replace(path)
