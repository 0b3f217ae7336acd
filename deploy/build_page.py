"""Builds Norn's web page into a wheel. On a machine without npm the wheel has no page, and the API explains how to get
one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_COMMANDS = (("npm", "ci", "--no-progress"), ("npm", "run", "build"))


class PageHook(BuildHookInterface[Any]):
    """The hook of the build tool hatchling. The hook runs once before a wheel or a source archive is written."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds the page unless it is built already; an editable install uses the page that deploy/prepare built."""
        ui = Path(self.root, "norn_api", "ui")
        if version == "editable" or not (ui / "package.json").is_file() or (ui / "dist" / "index.html").is_file():
            return
        if shutil.which("npm") is None:
            self.app.display_warning("npm is missing here: this Norn has no page (apt-get install nodejs npm)")
            return
        for command in _COMMANDS:
            done = subprocess.run(command, cwd=ui, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.app.display_warning(f"this Norn has no page: {' '.join(command)} failed\n{done.stderr[-1000:]}")
                return
