"""Only the wiring, the settings and the adapters for Docker may contain the string `docker`; no step may. The few
exceptions are listed, each with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, modules, tree

PLACES = (
    "norn_tasks/wiring/",
    "norn_tasks/settings/",
    "norn_tasks/adapters/docker/",
    "norn_tasks/adapters/docker_cluster/",
    "norn_tasks/adapters/runtimes/docker.py",
)
WORDS = {
    "norn_tasks/domain/infraspec/words.py": "the value of RuntimeName.DOCKER, which users write in a spec",
    "norn_tasks/store/migrations/versions/0023_frozen_specs.py": "the default of `runtime` for old rows",
    "norn_tasks/dispatch/moving.py": "the cluster that an app leaves, which users write in a forge",
    "norn_api/schemas/jobs.py": "the same, as a value of the API",
    "norn_cli/commands/apps/forge.py": "the same, as a value of --cluster",
    "norn_cli/launch.py": "the Python package that the server needs",
}
"""The files elsewhere that contain the string `docker`, because users or Python need it: each with its reason."""


def naming(path: Path) -> Iterator[str]:
    """Yields `file:line` for each string `docker` in a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and node.value == "docker":
            yield f"{path.name}:{node.lineno}"


def test_nothing_else_names_docker() -> None:
    places = {path.relative_to(ROOT).as_posix(): path for path in modules()}
    elsewhere = {name: path for name, path in places.items() if not name.startswith(PLACES) and name not in WORDS}
    assert [found for path in elsewhere.values() for found in naming(path)] == []


@pytest.mark.parametrize("name", WORDS)
def test_an_exception_is_needed(name: str) -> None:
    assert list(naming(ROOT / name))


def test_a_step_that_names_docker_is_caught(tmp_path: Path) -> None:
    (tmp_path / "step.py").write_text('engine = context.tools.engines["docker"]\n')
    assert list(naming(tmp_path / "step.py")) == ["step.py:1"]
