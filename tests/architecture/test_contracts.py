"""Every import contract is kept, and each one catches a violation that the test adds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGES, ROOT

LINT = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

PLANTED = {
    "store-rooms": ("norn_tasks/store/events/publishing.py", "import norn_tasks.store.ledger.ledger"),
    "cli-speaks-http-only": ("norn_cli/display/output.py", "import norn_tasks.domain.jobs.job"),
    "tasks-below-api": ("norn_tasks/dispatch/intake.py", "import norn_api"),
    "api-four-doors": ("norn_api/web/errors.py", "import norn_tasks.adapters"),
    "tasks-layers": ("norn_tasks/domain/jobs/job.py", "import norn_tasks.store.queue.jobs"),
    "inner-is-pure": ("norn_tasks/steps/image.py", "import norn_tasks.store.queue.jobs"),
    "adapters-are-leaves": ("norn_tasks/adapters/sources/git.py", "import norn_tasks.settings"),
    "adapters-independent": ("norn_tasks/adapters/sources/git.py", "import norn_tasks.adapters.docker.images"),
    "sql-in-store": ("norn_tasks/sealing.py", "import sqlalchemy"),
    "celery-at-edge": ("norn_tasks/store/queue/jobs.py", "import celery"),
    "steps-independent": ("norn_tasks/steps/external/dns.py", "import norn_tasks.steps.external.tunnel"),
    "clients-in-adapters": ("norn_tasks/router/backend.py", "import httpx"),
    "no-cycles": ("norn_cli/config.py", "import norn_cli.main"),
    "frameworks-at-home": ("norn_tasks/store/queue/jobs.py", "import flask"),
    "http-in-client": ("norn_cli/following/follow.py", "import httpx"),
    "api-asks-only": ("norn_api/web/errors.py", "import subprocess"),
    "processes-in-one-place": ("norn_tasks/logs.py", "import subprocess"),
}

LAYERS = {
    "tasks-layers": ("norn_tasks/adapters/outgoing.py", "import norn_tasks.store_adapters.outbox"),
    "adapters-are-leaves": ("norn_tasks/adapters/vault.py", "import norn_tasks.store_adapters.uploads"),
}
"""A second violation of these contracts: an adapter that imports the store indirectly, through a module of the layer
above.
"""


def _lint(root: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    only = ["--contract", contract] if contract else []
    return subprocess.run(
        [str(LINT), "--config", str(root / "pyproject.toml"), "--no-cache", *only],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_contract_is_kept() -> None:
    linted = _lint(ROOT)
    assert linted.returncode == 0, linted.stdout


def test_every_contract_has_its_planted_violation() -> None:
    assert set(PLANTED) == {contract["id"] for contract in CONTRACTS}


@pytest.mark.parametrize(("contract", "planted"), [*PLANTED.items(), *LAYERS.items()])
def test_a_planted_violation_is_caught(contract: str, planted: tuple[str, str], tmp_path: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line = planted
    with (tmp_path / file).open("a") as module:
        module.write(f"\n{line}  # planted\n")
    linted = _lint(tmp_path, contract)
    assert linted.returncode == 1, linted.stdout
    assert "1 broken" in linted.stdout
