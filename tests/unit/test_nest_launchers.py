"""Launchers of the nest that cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.nest.program.launchers import Launchers


def test_a_run_does_not_wait_for_ever_for_a_launcher_that_cannot_be_made() -> None:
    """The run then ends, with the reason, and its job is tried again. In /proc, no directory can be made."""
    with pytest.raises(OSError, match=r"no launcher was ready within 0.1 s: .*/proc/life-1"):
        Launchers(Path("/proc"), "life", patience=0.1).take()
