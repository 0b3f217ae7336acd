"""What a process may load: the API runs without docker and kubernetes, the CLI without the server's packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

_BLOCKED = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
{code}
"""


_HELP = """
from norn_cli.main import main
sys.argv = ["norn", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
"""


def _runs_without(absent: set[str], code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED.format(absent=absent, code=code)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_api_runs_where_docker_and_kubernetes_are_not_installed() -> None:
    _runs_without({"docker", "kubernetes"}, "import norn_api.app, norn_tasks.dispatch")


def test_the_cli_runs_where_the_server_is_not_installed() -> None:
    absent = {"flask", "celery", "sqlalchemy", "psycopg2", "redis", "docker", "norn_api", "norn_tasks"}
    _runs_without(absent, _HELP)


def test_the_spec_is_checked_where_the_server_is_not_installed() -> None:
    absent = {"flask", "celery", "sqlalchemy", "psycopg2", "redis", "docker", "click"}
    _runs_without(absent, "import norn_tasks.domain.__main__")


def test_a_worker_loads_the_client_of_kubernetes_only_when_it_asks_a_cluster() -> None:
    code = "import sys, norn_tasks.wiring; assert 'kubernetes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", ["docker", "kubernetes"])
def test_the_api_does_not_load_cluster_clients(name: str) -> None:
    code = f"import sys, norn_api.app; assert {name!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
