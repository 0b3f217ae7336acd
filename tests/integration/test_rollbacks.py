"""The target of a rollback: the release that was live before, and never one that was itself rolled back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from norn_tasks import dispatch
from norn_tasks.domain.errors import NotFound
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import JobState, Problem
from norn_tasks.domain.jobs.writes import ReleaseLive
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.releases import go_live, releases
from norn_tasks.store.tables import AppRow, JobRow, ReleaseRow
from tests import factories


@dataclass(frozen=True)
class Story:
    """An app that is deployed and rolled back, with the writes that the jobs make."""

    database: Database
    intake: dispatch.Intake

    def deploy(self) -> int:
        """Lets a new release go live; returns its number."""
        dispatch.request_deploy(self.intake, "blog", actor="ann")
        return self._goes_live()

    def roll_back(self, release: int | None = None) -> int:
        """Rolls back to `release`, or without a number to the release that Norn chooses; returns the release that is
        then live.
        """
        dispatch.request_rollback(self.intake, "blog", release=release, actor="ann")
        return self._goes_live()

    def fail(self) -> int:
        """Lets a new release fail; returns the release that the automatic rollback brings back."""
        dispatch.request_deploy(self.intake, "blog", actor="ann")
        broken = Problem("rollout_failed", "the new container exited 1")
        Ledger(self.database, patience=1).finish(self._claim().fence, JobState.FAILED, broken, returns=True)
        return self._goes_live()

    def kept(self, retain: int) -> list[int]:
        """Returns the releases whose images a deploy would keep."""
        with self.database.transaction() as tx:
            return sorted(int(image.rpartition(":")[2]) for image in releases.kept_images(tx, "blog", retain))

    def _claim(self) -> Job:
        return factories.claim(self.database)

    def _goes_live(self) -> int:
        job = self._claim()
        with self.database.transaction() as tx:
            row: Any = tx.execute(select(JobRow).where(JobRow.id == job.id)).mappings().one()
            tx.execute(
                update(ReleaseRow).where(ReleaseRow.n == row["release"]).values(image_id=f"sha256:{row['release']}")
            )
            go_live.release_live(tx, row, ReleaseLive(job.id))
        Ledger(self.database, patience=1).finish(job.fence, JobState.SUCCEEDED, None)
        return int(row["release"])


@pytest.fixture
def story(database: Database, tmp_path: Path) -> Story:
    """A forged app from a directory; it was never deployed."""
    (tmp_path / "blog").mkdir()
    (tmp_path / "blog" / "infraspec.yaml").write_text("app: blog\nrole: worker\n")
    intake = factories.intake(database, apps_dir=tmp_path)
    with database.transaction() as tx:
        factories.add_app(tx, factories.spec("blog", "worker"))
        tx.execute(update(AppRow).values(source="directory"))
    return Story(database, intake)


def _three(story: Story) -> Story:
    for _ in range(3):
        story.deploy()
    return story


STORIES: list[tuple[str, Callable[[Story], Any], int]] = [
    ("the one before", lambda s: None, 2),
    ("twice goes further back", lambda s: s.roll_back(), 1),
    ("not to the one that was left", lambda s: (s.roll_back(), s.deploy()), 2),
    ("not to any that was left", lambda s: (s.roll_back(), s.roll_back(), s.deploy()), 1),
    ("not to those that a number went past", lambda s: (s.deploy(), s.roll_back(2), s.deploy()), 2),
    ("from one that was fetched back", lambda s: (s.roll_back(), s.roll_back(3)), 2),
    ("to one that was fetched back", lambda s: (s.roll_back(), s.roll_back(3), s.deploy()), 3),
    ("past those that were left before", lambda s: (s.roll_back(1), s.roll_back(3)), 1),
    ("past a release that failed", lambda s: s.fail(), 2),
    ("past a failed one, not to the one that was left", lambda s: (s.roll_back(), s.fail(), s.deploy()), 2),
]


@pytest.mark.parametrize(("before", "lands"), [each[1:] for each in STORIES], ids=[each[0] for each in STORIES])
def test_a_rollback_without_a_number_goes_to_what_was_live_before(
    story: Story, before: Callable[[Story], Any], lands: int
) -> None:
    before(_three(story))
    assert story.roll_back() == lands


def test_at_the_first_release_there_is_nothing_to_go_back_to(story: Story) -> None:
    _three(story).roll_back(1)
    with pytest.raises(NotFound, match="no earlier release"):
        story.roll_back()


def test_a_release_that_was_left_is_still_reached_by_its_number(story: Story) -> None:
    _three(story).roll_back()
    assert story.roll_back(3) == 3


def test_a_failed_release_returns_to_the_last_that_succeeded_and_not_to_the_one_that_was_left(story: Story) -> None:
    _three(story).roll_back()
    assert story.fail() == 2


def test_the_image_to_go_back_to_is_kept_before_the_one_that_was_left(story: Story) -> None:
    _three(story).roll_back()
    story.deploy()
    assert story.kept(2) == [2, 4]
