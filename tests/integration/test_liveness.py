"""The liveness check: a free worker that leaves work waiting is unhealthy; a busy one, a new one, or one without a
broker is healthy.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text, update

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.store.broker.live import Live
from norn_tasks.store.database.session import Database
from norn_tasks.store.fleet import workers
from norn_tasks.store.tables import JobRow, WorkerRow
from norn_tasks.worker.liveness import Liveness
from tests import factories
from tests.servers import Broker

LONG_AGO = text("clock_timestamp() - interval '31 s'")


@pytest.fixture
def look(database: Database, broker: Broker) -> Any:
    """Checks a worker that started long ago, while one job of class deploy has waited for 31 s."""
    with database.transaction() as tx:
        factories.add_job(tx, engine=factories.ENGINE)
        tx.execute(update(JobRow).values(created_at=LONG_AGO, run_after=LONG_AGO))
        workers.say(
            tx,
            workers.Presence(
                "w1", JobClass.DEPLOY, "host", 1, 2, factories.ENGINE, None, capabilities=factories.capabilities()
            ),
        )
        tx.execute(update(WorkerRow).values(started_at=LONG_AGO))

    def run(broker_url: str = broker.url, **worker: Any) -> int:
        if worker:
            with database.transaction() as tx:
                tx.execute(update(WorkerRow).values(**worker))
        restarts: list[int] = []
        liveness = Liveness(
            database, Live(broker_url), "w1", JobClass.DEPLOY, restart=lambda: restarts.append(1), _started=-100.0
        )
        for _ in range(3):
            liveness.look()
        return len(restarts)

    return run


def test_a_free_worker_beside_waiting_work_is_restarted_once(look: Any) -> None:
    assert look() == 1


def test_a_busy_worker_is_never_sick(look: Any) -> None:
    assert look(busy=2) == 0


def test_a_worker_that_claims_is_not_sick(look: Any) -> None:
    assert look(last_claim_at=text("clock_timestamp()")) == 0


def test_a_new_worker_is_given_time(look: Any) -> None:
    assert look(started_at=text("clock_timestamp()")) == 0


def test_a_draining_worker_is_left_alone(look: Any) -> None:
    assert look(draining_at=text("clock_timestamp()")) == 0


def test_work_of_another_engine_is_no_reason(look: Any) -> None:
    assert look(engine="engine-2", capabilities=sorted(factories.capabilities("engine-2"))) == 0


def test_without_a_broker_nobody_can_be_woken_and_nobody_is_sick(look: Any) -> None:
    assert look(factories.NOWHERE) == 0
