"""Launchers of the nest (the container in which crun starts runs) that cannot be made. A launcher is a process that
waits in the cgroups of a future sandbox, and becomes crun when a run starts.
"""

from __future__ import annotations

import re
import subprocess
import sys

from norn_tasks.adapters.nest.program.launchers import Launchers


def test_a_run_does_not_wait_for_ever_for_a_launcher_that_cannot_be_made() -> None:
    """Without a launcher the run ends with the reason, and its job is tried again. The launchers are in /proc, where no
    directory can be made. The thread that makes launchers never ends, so it has a process of its own here.
    """
    program = (
        f"from pathlib import Path; from {Launchers.__module__} import Launchers;"
        " Launchers(Path('/proc'), 'life', patience=0.1).take()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert re.search(r"OSError: no launcher was ready within 0.1 s: .*/proc/life-1", ended.stderr)
