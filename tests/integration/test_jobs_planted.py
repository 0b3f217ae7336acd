"""Proves that the tests of jobs can fail: each deliberately added bug makes the test fail that should catch it.

The bugs are in different functions, and no test reaches two of them: so one copy of the source tree has them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planted import Bug, copy_tree, plant, require_caught

_STORE = "norn_tasks/store"
_TESTS = "tests/integration"
_AFTER = """ WHERE (xact, id) > (CAST(:xact AS xid8), :id) AND xact < pg_snapshot_xmin(pg_current_snapshot()) {more}
 ORDER BY events.xact, id LIMIT :limit"""

BUGS = (
    Bug(
        "the token is dropped from a write", f"{_STORE}/ledger/beginning.py",
        "event_seq = event_seq + 1\n   WHERE {held(\"j\")} RETURNING",
        "event_seq = event_seq + 1\n   WHERE {held(\"j\", claim='j.lease_token')} AND :token > 0 RETURNING",
        f"{_TESTS}/test_fences.py::test_a_fallen_fence_lets_nothing_through[3]",
    ),
    Bug(
        "the token is dropped where ends are written together", f"{_STORE}/ledger/succeed.py",
        'held("j", "t.job", "t.token")', 'held("j", "t.job", "j.lease_token")',
        f"{_TESTS}/test_written_together.py::test_a_fence_that_fell_takes_no_other_with_it",
    ),
    Bug(
        "runs are claimed together by id", f"{_STORE}/ledger/claims_together.py",
        "ORDER BY busy + k, CASE WHEN passed THEN left_over ELSE least(oldest, left_over) END LIMIT",
        "ORDER BY id LIMIT",
        f"{_TESTS}/test_claims_together.py::test_it_takes_the_jobs_that_single_claims_take[5]",
    ),
    Bug(
        "runs that are claimed together each see the same free memory", f"{_STORE}/ledger/claims_together.py",
        "            free -= row.need\n", "",
        f"{_TESTS}/test_claims_together.py::test_memory_is_counted_job_by_job",
    ),
    Bug(
        "a heartbeat outlives its job", f"{_STORE}/queue/leases.py",
        "ON {_HELD} LEFT JOIN", "ON j.id = h.id AND j.lease_token = h.token LEFT JOIN",
        f"{_TESTS}/test_fences.py::test_a_heartbeat_does_not_outlive_its_job",
    ),
    Bug(
        "a rescue gives the claim back", f"{_STORE}/queue/sweeper.py",
        'values(state="queued",', 'values(state="queued", claims=JobRow.claims - 1,',
        f"{_TESTS}/test_sweeper.py::test_a_poison_job_is_dead_after_five_workers",
    ),
    Bug(
        "a hand-back costs a claim", f"{_STORE}/ledger/ledger.py",
        'values(state="queued", claims=JobRow.claims - 1,', 'values(state="queued", claims=JobRow.claims,',
        f"{_TESTS}/test_runner.py::test_a_resumed_job_goes_on_at_the_first_step_not_done",
    ),
    Bug(
        "a cancelled job stays in the queue", f"{_STORE}/queue/sweeper.py",
        "        (_CANCELLED, _cancel),\n", "",
        f"{_TESTS}/test_sweeper.py::test_a_cancelled_queued_job_ends_cancelled",
    ),
    Bug(
        "lost wake-ups are not repeated", "norn_tasks/scheduler/lost_wakeups.py",
        "            self._waker.wake(job_class, count)\n", "",
        f"{_TESTS}/test_wakes.py::test_work_that_waits_is_nudged_up_to_the_free_slots",
    ),
    Bug(
        "events are read by id", f"{_STORE}/events/stream.py",
        _AFTER, " WHERE id > :id AND CAST(:xact AS text) IS NOT NULL {more}\n ORDER BY id LIMIT :limit",
        f"{_TESTS}/test_events_order.py::test_an_event_that_commits_late_is_not_lost",
    ),
    Bug(
        "the scopes of a token are not checked", "norn_api/access/permissions.py",
        "    if not needed.allows(actor):\n", "    if needed is None:\n",
        f"{_TESTS}/api/test_api_permissions.py::test_reader_is_refused_what_is_not_reading",
    ),
    Bug(
        "a step that must not be repeated is repeated", "norn_tasks/pipelines/runner/job_run.py",
        "                return self._leave_to_a_person()\n", "                pass\n",
        f"{_TESTS}/test_attention.py::test_a_job_that_an_older_sweeper_queued_again_does_not_repeat_it",
    ),
    Bug(
        "orphans are found by age instead of owner", f"{_STORE}/replicas/observations.py",
        "        return recorded is not None or age < NEW_CONTAINER\n", "        return age < NEW_CONTAINER\n",
        f"{_TESTS}/test_orphans.py::test_a_replica_stays_when_the_job_that_made_it_has_ended",
    ),
    Bug(
        "a process is killed without its group", "norn_tasks/adapters/processes/process_guard.py",
        "        os.killpg(group, signal.SIGKILL)\n", "        os.kill(group, signal.SIGKILL)\n",
        "tests/unit/test_adapters_process.py::test_what_it_leaves_behind_ends_with_it",
    ),
    Bug(
        "a defect is recorded with the secret in it", "norn_tasks/pipelines/runner/job_run.py",
        "            return self._fail(None, hidden_problem(self._hidden, defect(self._job, error)))\n",
        "            return self._fail(None, defect(self._job, error))\n",
        f"{_TESTS}/test_secrets.py::test_a_defect_is_hidden_in_rows_and_log",
    ),
)  # fmt: skip


@pytest.mark.timeout(300)
def test_every_planted_bug_is_caught(tmp_path: Path) -> None:
    place = copy_tree(tmp_path / "tree")
    for bug in BUGS:
        plant(place, bug)
    require_caught(place, *BUGS)
