"""A worker reports the nest (the container in which crun starts runs) while runs may use it, and `norn doctor` shows
that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from norn_tasks.embedded.doctor import nest
from norn_tasks.settings import Settings
from norn_tasks.store.fleet.engines import EngineMembership
from norn_tasks.worker.engines import EngineIdentity, WorkerTools


@dataclass
class Road:
    """A nest runtime that is ready or not."""

    ready: bool

    def make(self) -> bool:
        """Makes nothing."""
        return False


@pytest.mark.parametrize(("road", "announced"), [(Road(True), True), (Road(False), False), (None, False)])
def test_a_worker_announces_the_nest_while_it_is_ready(road: Road | None, announced: bool) -> None:
    has = WorkerTools(runtimes={"docker": "main"}, fast=road)
    identity = EngineIdentity(lambda: "engine", lambda _: EngineMembership(home=True), has=has)
    identity.look()
    assert ("runtime:nest" in identity.capabilities, "runtime:docker" in identity.capabilities) == (announced, True)


def test_doctor_says_why_there_is_no_nest(tmp_path: Path) -> None:
    (tmp_path / "nest").mkdir()
    (tmp_path / "nest" / "why-not").write_text("the engine uses selinux")
    (found,) = nest(Settings(data_dir=tmp_path, nest="auto"))
    assert (found.status, "the engine uses selinux" in found.message) == ("warn", True)


def test_doctor_says_nothing_of_a_nest_that_is_off(tmp_path: Path) -> None:
    assert list(nest(Settings(data_dir=tmp_path))) == []
