"""A directory in the form that recognisers read, and the project that they find in it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PORT = 8080
IGNORED = ".git\n.env\n.env.*\nnode_modules\n__pycache__\n*.pyc\n.venv\nvenv\n*.log\n.DS_Store\n"
"""The lines of a first .dockerignore: files that no image needs, and some that no image should contain."""


@dataclass(frozen=True)
class Directory:
    """A directory: the paths and contents of its small files, down to two levels below it."""

    texts: Mapping[str, str]

    def has(self, *paths: str) -> bool:
        """Returns True if it has one of these files."""
        return any(path in self.texts for path in paths)

    def text(self, path: str) -> str:
        """Returns the text of a file; empty if the file does not exist."""
        return self.texts.get(path, "")

    def json(self, path: str) -> dict[str, Any]:
        """Returns the JSON object in a file; an empty object if the file does not exist."""
        try:
            found = json.loads(self.text(path) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def first(self, *paths: str) -> str:
        """Returns the first of these files that exists; empty if none does."""
        return next((path for path in paths if path in self.texts), "")

    def containing(self, pattern: str, suffix: str) -> list[str]:
        """Returns the files with a suffix whose text has the pattern, the shallowest first."""
        found = [path for path, text in self.texts.items() if path.endswith(suffix) and re.search(pattern, text, re.M)]
        return sorted(found, key=lambda path: (path.count("/"), path))

    @property
    def web_process(self) -> str:
        """The command of the process `web` in a Procfile; empty if there is none."""
        found = re.search(r"^web:\s*(.+)$", self.text("Procfile"), re.M)
        return found[1].strip() if found else ""


@dataclass(frozen=True)
class Project:
    """A project: its kind, the file by which it was recognised, its Dockerfile, its port and its health check."""

    kind: str
    by: str
    dockerfile: str
    port: int = PORT
    healthcheck: str = ""
    """A path that certainly responds when the app is healthy; empty if none is known."""


def lines(*parts: str | Iterable[str]) -> str:
    """Returns the text of a Dockerfile; empty lines are left out."""
    flat = [line for part in parts for line in ([part] if isinstance(part, str) else part)]
    return "\n".join([*filter(None, flat), ""])


def cmd(command: str) -> str:
    """Returns the CMD of a command line: as a list, or through a shell if it needs one."""
    if re.search(r"[$|&;<>*?`~(){}]|\w+=", command):
        return f'CMD ["sh", "-c", {json.dumps(f"exec {command}")}]'
    return f"CMD {json.dumps(shlex.split(command))}"
