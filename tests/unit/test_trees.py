"""A directory tree is removed however deep it is, and nothing outside of it."""

from __future__ import annotations

from pathlib import Path

from norn_tasks import trees
from tests.deep import deep


def test_a_tree_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    for path in ("a/b/c", "a/d", "e", "e/f"):
        (tmp_path / "tree" / path).mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path / "file").write_text("x")
    trees.remove(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []


def test_a_tree_of_three_thousand_levels_is_removed(tmp_path: Path) -> None:
    with deep(tmp_path / "tree", 3000) as tree:
        trees.remove(tree)
        assert not tree.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kept").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "other")
    trees.remove(tmp_path / "tree")
    assert [each.name for each in (tmp_path / "other").iterdir()] == ["kept"]


def test_a_tree_that_is_not_there_is_fine(tmp_path: Path) -> None:
    trees.remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()
