"""`pip install .` without extras gives a working `norn` that starts fast and does not install Flask, Celery and
SQLAlchemy.
"""

from __future__ import annotations

import resource
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

SERVER_PACKAGES = ("flask", "celery", "sqlalchemy", "psycopg2", "redis", "docker", "kubernetes", "supervisor")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bin directory of an environment that has `pip install .` and nothing else."""
    home = tmp_path_factory.mktemp("base")
    venv.create(home, with_pip=True)
    subprocess.run([home / "bin" / "pip", "install", "--quiet", str(ROOT)], check=True, cwd=home)
    yield home / "bin"


def _norn(base: Path, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([base / "norn", *argv], capture_output=True, text=True, check=False, cwd=cwd or base)


@pytest.mark.timeout(300)
def test_the_server_is_not_in_the_base_install(base: Path) -> None:
    code = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    found = subprocess.run([base / "python", "-c", code, *SERVER_PACKAGES], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_help_answers_in_under_a_third_of_a_second(base: Path) -> None:
    """Measured in CPU time, which other tests on this machine do not influence."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _norn(base, "--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    assert min(once() for _ in range(5)) < 0.3


def test_specs_are_checked_without_a_server(base: Path, tmp_path: Path) -> None:
    assert _norn(base, "init", "--role", "function", "blog", cwd=tmp_path).returncode == 0
    assert _norn(base, "validate", str(tmp_path / "blog")).returncode == 0
    (tmp_path / "blog" / "infraspec.yaml").write_text("app: blog\nrole: functoin\n")
    broken = _norn(base, "validate", str(tmp_path / "blog"))
    assert (broken.returncode, "infraspec.yaml:2:7: role:" in broken.stdout) == (1, True)


def test_the_schema_is_there_for_editors(base: Path) -> None:
    assert '"$schema"' in _norn(base, "schema").stdout


def test_up_says_what_to_install(base: Path) -> None:
    refused = _norn(base, "up")
    assert (refused.returncode, "pip install '.[server]'" in refused.stderr) == (1, True)
