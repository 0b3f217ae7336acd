"""The promises of reading an app's directory, tested on the fake and on real directories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from norn_tasks.adapters.sources.directories import LocalDirectories
from norn_tasks.domain.errors import SourceError, Stopped
from norn_tasks.ports import Directories
from tests.fakes.directories import FakeDirectories, written
from tests.fakes.stop import FakeWatch

ONE_MIB = 2**20


class Machine(Protocol):
    """The directories that the worker can read."""

    directories: Directories

    def holds(self, origin: Path, files: Mapping[str, bytes]) -> None: ...


@dataclass
class FakeMachine:
    directories: FakeDirectories = field(default_factory=lambda: FakeDirectories(most=ONE_MIB))

    def holds(self, origin: Path, files: Mapping[str, bytes]) -> None:
        self.directories.trees[origin] = files


@dataclass
class RealMachine:
    directories: LocalDirectories = field(default_factory=lambda: LocalDirectories(most=ONE_MIB))

    def holds(self, origin: Path, files: Mapping[str, bytes]) -> None:
        written(files, origin)


@pytest.fixture(params=[FakeMachine, RealMachine], ids=["fake", "local"])
def machine(request: pytest.FixtureRequest) -> Machine:
    made: Machine = request.param()
    return made


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return tmp_path / "blog"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "work" / "source"


def test_the_tree_is_copied(machine: Machine, origin: Path, into: Path) -> None:
    machine.holds(origin, {"a": b"1", "b/c": b"2"})
    machine.directories.checkout(origin, into, FakeWatch().watch)
    assert ((into / "a").read_bytes(), (into / "b" / "c").read_bytes()) == (b"1", b"2")


def test_the_same_tree_has_the_same_revision(machine: Machine, origin: Path, into: Path, tmp_path: Path) -> None:
    revisions = set()
    for place in (origin, tmp_path / "other"):
        machine.holds(place, {"a": b"1", "b/c": b"2"})
        revisions.add(machine.directories.checkout(place, into, FakeWatch().watch).revision)
    assert len(revisions) == 1 and revisions.pop().startswith("dir-")


def test_another_tree_has_another_revision(machine: Machine, origin: Path, into: Path) -> None:
    machine.holds(origin, {"a": b"1"})
    first = machine.directories.checkout(origin, into, FakeWatch().watch).revision
    machine.holds(origin, {"a": b"2"})
    assert machine.directories.checkout(origin, into, FakeWatch().watch).revision != first


def test_what_was_in_the_copy_is_gone(machine: Machine, origin: Path, into: Path) -> None:
    written({"old": b""}, into)
    machine.holds(origin, {"a": b"1"})
    machine.directories.checkout(origin, into, FakeWatch().watch)
    assert not (into / "old").exists()


def test_a_directory_that_is_not_seen_is_named(machine: Machine, origin: Path, into: Path) -> None:
    with pytest.raises(SourceError, match=f"does not see the directory {origin}"):
        machine.directories.checkout(origin, into, FakeWatch().watch)


def test_a_tree_over_the_limit_is_refused(machine: Machine, origin: Path, into: Path) -> None:
    machine.holds(origin, {"a": bytes(ONE_MIB + 1)})
    with pytest.raises(SourceError, match="larger than 1 MiB"):
        machine.directories.checkout(origin, into, FakeWatch().watch)


def test_a_stopped_job_copies_nothing(machine: Machine, origin: Path, into: Path) -> None:
    machine.holds(origin, {"a": b"1"})
    watch = FakeWatch()
    watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        machine.directories.checkout(origin, into, watch.watch)
