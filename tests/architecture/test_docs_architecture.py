"""docs/architecture.md draws the layers, rooms, states and errors of the code; CONTRIBUTING has the same layers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from norn_tasks.domain import errors
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.jobs.job import JobState
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


def fenced(text: str, first: str) -> str:
    """Returns the fenced block of a page whose text begins with the word `first`."""
    found = re.search(rf"^```\n(\s*{first}\b.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no picture begins with {first}"
    return found[1]


def names(picture: str) -> list[set[str]]:
    """Returns the names on each line of a picture of layers, without the description behind the gap."""
    return [set(re.split(r"\s*│\s*", re.split(r"\s{3,}", line.strip())[0])) for line in picture.splitlines()]


def layers(contract: str) -> list[set[str]]:
    """Returns the layers of an import contract."""
    return [set(layer.split(" | ")) for layer in CONTRACTS[contract]["layers"]]


def test_the_picture_has_the_layers_of_the_contract() -> None:
    assert names(fenced(PAGE, "tasks")) == layers("tasks-layers")


def test_the_picture_has_the_rooms_of_the_store() -> None:
    assert names(fenced(PAGE, "ledger")) == layers("store-rooms")


def test_contributing_has_the_same_pictures() -> None:
    assert fenced(CONTRIBUTING, "tasks") == fenced(PAGE, "tasks")
    assert fenced(CONTRIBUTING, "ledger") == fenced(PAGE, "ledger")


def test_it_draws_every_state_of_a_job() -> None:
    assert set(re.findall(r"[a-z]+", fenced(PAGE, "queued").splitlines()[0])) == {str(state) for state in JobState}


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    assert list(drawn()) == list(tree(NornError, 0))


def drawn() -> Iterator[tuple[int, str, str]]:
    """Yields depth, name and HTTP status of each error in the picture of errors."""
    for line in fenced(PAGE, "NornError").splitlines():
        found = re.fullmatch(r"([│├└─ ]*)(\w+)(?: (\d+))?", line)
        assert found is not None, line
        yield len(found[1]) // 3, found[2], found[3] or ""


def tree(kind: type[NornError], depth: int) -> Iterator[tuple[int, str, str]]:
    """Yields the same for an error class and the classes below it in domain/errors/, in the order of `__all__`."""
    inside = kind is NornError or issubclass(kind, errors.LeaseLost | errors.Stopped)
    yield depth, kind.__name__, "" if inside else str(kind.status)
    here = [each for each in kind.__subclasses__() if each.__module__.startswith(f"{errors.__name__}.")]
    for each in sorted(here, key=lambda each: errors.__all__.index(each.__name__)):
        yield from tree(each, depth + 1)
