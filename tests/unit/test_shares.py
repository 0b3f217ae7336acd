"""The limits within a worker's slots: how many jobs of one app and how many deploys may run, also when threads claim
together.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from norn_tasks.domain.jobs.job import JobClass, JobKind
from norn_tasks.worker.shares import Shares


def entered(shares: Shares, app: str, times: int, kind: JobKind = JobKind.CRON_RUN) -> int:
    """Returns how many of these jobs may run, each claimed by a thread of its own."""
    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(lambda _: shares.enter(kind, app, adopts=False), range(times)))


@pytest.mark.parametrize(("slots", "alone"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (16, 12), (32, 24)])
def test_one_app_gets_three_quarters_of_the_slots_and_never_all_of_several(slots: int, alone: int) -> None:
    assert entered(Shares(JobClass.CRON, slots), "noisy", 50) == alone


def test_the_more_apps_are_noisy_the_less_each_gets_so_that_a_quiet_one_finds_a_slot() -> None:
    shares = Shares(JobClass.CRON, 16)
    taken = [entered(shares, f"noisy-{n}", 50) for n in range(3)]
    assert taken == [12, 3, 1]
    shares.leave(JobKind.CRON_RUN, "noisy-0")
    assert entered(shares, "noisy-0", 50) == 0
    assert shares.enter(JobKind.RUN, "quiet", adopts=False)


def test_a_run_whose_container_goes_on_is_taken_over_in_any_case() -> None:
    shares = Shares(JobClass.CRON, 4)
    entered(shares, "noisy", 50)
    assert shares.full() == {"noisy"}
    assert shares.enter(JobKind.CRON_RUN, "noisy", adopts=True)


@pytest.mark.parametrize(("slots", "deploys"), [(1, 1), (2, 1), (4, 2), (5, 2), (8, 4)])
def test_deploys_leave_half_of_the_slots_to_other_changes(slots: int, deploys: int) -> None:
    shares = Shares(JobClass.DEPLOY, slots)
    assert sum(shares.enter(JobKind.DEPLOY, f"app-{n}", adopts=False) for n in range(9)) == deploys
    assert all(shares.enter(JobKind.ROLLBACK, f"app-{n}", adopts=False) for n in range(slots - deploys))
