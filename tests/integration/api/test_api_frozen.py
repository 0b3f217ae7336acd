"""An API process dies or freezes inside a cancel, while it has locked the row of a job: other processes are affected
for at most 10 s.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.database.session import Database, Tx
from tests import factories as shared
from tests.integration.api.process import ApiProcess
from tests.servers import Broker, allowed, wait_until


def _waits_for_events(database: Database) -> bool:
    with database.transaction() as tx:
        return bool(
            tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass"))
        )


def _locked(tx: Tx, job: int, how: str) -> None:
    tx.execute(text("SET LOCAL lock_timeout = 0"))
    tx.execute(text(f"SELECT 1 FROM jobs WHERE id = {job} FOR UPDATE {how}"))


@pytest.mark.parametrize(("number", "seconds"), [(signal.SIGKILL, 3.0), (signal.SIGSTOP, 10.5)])
def test_row_of_the_job_is_free_soon(database: Database, broker: Broker, number: int, seconds: float) -> None:
    home = Path(tempfile.mkdtemp(prefix="norn-api-"))
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "webserver"))
        one, other = (shared.add_job(tx, kind) for kind in (JobKind.DEPLOY, JobKind.FORGE))
    process = ApiProcess(home, database.url, broker.url)
    (worker,) = (
        int(pid) for pid in Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()
    )

    def cancel() -> None:
        with suppress(httpx.HTTPError), process.client() as client:
            client.post(f"/api/jobs/{one}/cancel", json={})

    caller = threading.Thread(target=cancel)
    try:
        with database.transaction() as tx:
            tx.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
            caller.start()
            wait_until(lambda: _waits_for_events(database), 10, "the cancel holds the row and waits for the events")
            os.kill(worker, number)
        began = time.monotonic()
        with database.transaction() as tx:
            _locked(tx, other, "NOWAIT")
        with database.transaction() as tx:
            _locked(tx, one, "")
        assert time.monotonic() - began < allowed(seconds)
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)
        process.stop()
        caller.join()
        shutil.rmtree(home, ignore_errors=True)


def test_a_second_api_process_answers_while_one_is_frozen(database: Database, broker: Broker) -> None:
    home = Path(tempfile.mkdtemp(prefix="norn-api-"))
    process = ApiProcess(home, database.url, broker.url, api_workers="2")

    def workers() -> list[int]:
        pid = process.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    try:
        wait_until(lambda: len(workers()) == 2, allowed(60), "both have started")
        os.kill(workers()[0], signal.SIGSTOP)
        with process.client(allowed(60)) as client:
            client.get("/api/version")  # the second worker process may still be starting
        slowest = 0.0
        for _ in range(30):
            began = time.monotonic()
            with process.client() as client:
                assert client.get("/api/version").status_code == 200
                assert "norn_http_requests" not in client.get("/metrics").text
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < allowed(10)
    finally:
        for each in workers():
            os.kill(each, signal.SIGCONT)
        process.stop()
        shutil.rmtree(home, ignore_errors=True)
