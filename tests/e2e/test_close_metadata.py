"""`deploy/prepare metadata` in a network namespace of its own: repeated calls add only one firewall rule, and only root
may call it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

PREPARE = Path(__file__).parents[2] / "deploy/prepare"
RULE = "-A DOCKER-USER -d 169.254.0.0/16 -j DROP"


def apart(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script apart from this machine's firewall and systemd. It cannot make the rule permanent there."""
    hidden = f"mount -t tmpfs none /run; {script}"
    return subprocess.run(
        ["unshare", "-nm", "sh", "-c", hidden], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_rule_is_added_once() -> None:
    done = apart(f"iptables -N DOCKER-USER; {PREPARE} metadata; {PREPARE} metadata; iptables -S DOCKER-USER")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said.count(RULE) == 1
    assert "prepare: containers already cannot reach 169.254.0.0/16" in said


def test_a_machine_whose_engine_has_no_firewall_is_refused() -> None:
    done = apart(f"{PREPARE} metadata")
    assert done.returncode == 1
    assert "there is no chain DOCKER-USER" in done.stderr
