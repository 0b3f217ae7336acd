"""PostgreSQL finds the next job through the indexes over queued jobs, and never reads jobs that have ended."""

from __future__ import annotations

import pytest

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.database.prepared import run
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import memory
from norn_tasks.store.queue import claims
from tests import factories, ledger_kit


def _plans(database: Database, job_class: JobClass) -> str:
    """Returns the query plans of a claim's statements on a connection that has prepared them."""
    lines: list[str] = []
    values = claims.bound(factories.claimer("w", job_class), memory.Room())
    with database.transaction() as tx:
        for statement in claims.statements(job_class):
            run(tx, statement, values).close()
            lines += tx.exec_driver_sql(f"EXPLAIN {statement.execute(values)}", values).scalars().all()
    return "\n".join(lines)


@pytest.mark.parametrize("apps", [1, 20, 1_000])
def test_a_claim_reads_what_is_queued_through_its_indexes(database: Database, apps: int) -> None:
    ledger_kit.fill(database, past=20_000, ready=3_000, apps=apps)
    plans = _plans(database, JobClass.INVOKE)
    assert "Seq Scan on jobs" not in plans
    for index in ("jobs_ready_by_app", "jobs_waited_for"):
        assert index in plans


def test_a_claim_without_slots_does_so_too(database: Database) -> None:
    ledger_kit.fill(database, past=20_000, ready=1_000, apps=10)
    with database.transaction() as tx:
        for n in range(50):
            factories.add_job(tx, app=f"app-{n}")
    plans = _plans(database, JobClass.DEPLOY)
    assert "Seq Scan on jobs" not in plans
    assert "jobs_exclusive_order" in plans
