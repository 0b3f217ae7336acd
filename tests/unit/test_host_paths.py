"""Directories of the host that NORN_HOST_PATHS names: none may be inside another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.settings import load


def of(*roots: Path) -> tuple[Path, ...]:
    return load({"NORN_HOST_PATHS": os.pathsep.join(map(str, roots))}).host_paths


def test_roots_side_by_side_are_taken(tmp_path: Path) -> None:
    roots = (tmp_path / "a", tmp_path / "a-b")
    assert of(*roots) == roots


@pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a"), ("a/b/../b/c", "a/b")])
def test_a_root_beneath_another_is_refused(tmp_path: Path, order: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"NORN_HOST_PATHS: .* lies beneath .*") as refused:
        of(*(tmp_path / each for each in order))
    assert refused.value.hint.startswith("name either")


def test_a_root_that_leads_beneath_another_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    with pytest.raises(InvalidRequest, match="lies beneath"):
        of(tmp_path / "a", tmp_path / "link")
