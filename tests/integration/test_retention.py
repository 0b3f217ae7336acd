"""Retention: old data is removed by age and number, but never live, open or referenced data, and never with
long locks.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import text

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.scheduler.housekeeping import Housekeeping
from norn_tasks.settings import Settings
from norn_tasks.store.database.session import Database
from norn_tasks.store.upkeep import exclusive_tasks
from norn_tasks.store.upkeep.retention import RetentionLimits, Tidied, tidy
from tests import factories
from tests.servers import allowed

KEEP = RetentionLimits(days=14, per_app=100, runs_days=90, runs_per_app=100, failed_days=30, audit_days=365)


def sql(database: Database, statement: str, **bound: Any) -> Any:
    with database.transaction() as tx:
        return tx.execute(text(statement), bound)


def count(database: Database, table: str) -> int:
    with database.transaction() as tx:
        return int(tx.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def add_job(database: Database, kind: JobKind, state: str, days: float, *, log: bool = True, **columns: Any) -> int:
    """Makes a job that is `days` old, with a step and its output."""
    with database.transaction() as tx:
        job = factories.add_job(tx, kind)
        names = {"state": state, **columns}
        assigned = ", ".join(f"{name} = :{name}" for name in names)
        past = "clock_timestamp() - make_interval(secs => :ago)"
        tx.execute(
            text(f"UPDATE jobs SET {assigned}, created_at = {past}, ended_at = {past} WHERE id = :id"),
            {**names, "ago": days * 86400, "id": job},
        )
        tx.execute(text("INSERT INTO steps(job_id, n, name, state, token) VALUES (:id, 1, 's', 'x', 1)"), {"id": job})
        if log:
            tx.execute(text("INSERT INTO step_logs(job_id, step, seq, chunk) VALUES (:id, 's', 1, 'hi')"), {"id": job})
    return job


def jobs_left(database: Database, **keep: Any) -> set[int]:
    tidy(database, RetentionLimits(**{**KEEP.__dict__, **keep}))
    with database.transaction() as tx:
        return set(tx.scalars(text("SELECT id FROM jobs")))


@pytest.mark.parametrize(
    ("kind", "state", "days", "stays"),
    [
        (JobKind.FORGE, "succeeded", 13, True),
        (JobKind.FORGE, "succeeded", 15, False),
        (JobKind.FORGE, "queued", 99, True),
        (JobKind.FORGE, "running", 99, True),
        (JobKind.FORGE, "failed", 29, True),
        (JobKind.FORGE, "failed", 31, False),
    ],
)
def test_a_job_goes_by_its_age_unless_it_is_open_or_failed_lately(
    database: Database, kind: JobKind, state: str, days: float, stays: bool
) -> None:
    job = add_job(database, kind, state, days)
    assert jobs_left(database) == ({job} if stays else set())


def test_what_belongs_to_a_job_goes_with_it(database: Database) -> None:
    add_job(database, JobKind.FORGE, "succeeded", 15)
    tidy(database, KEEP)
    assert [count(database, table) for table in ("jobs", "steps", "step_logs", "events")] == [0, 0, 0, 0]


@pytest.mark.parametrize(("pruned", "stays"), [("NULL", True), ("clock_timestamp()", False)])
def test_the_deploy_of_a_release_stays_as_long_as_its_image(database: Database, pruned: str, stays: bool) -> None:
    factories.add_live(database, "blog")
    job = add_job(database, JobKind.DEPLOY, "succeeded", 99, release=1)
    sql(database, f"UPDATE releases SET pruned_at = {pruned}")
    assert jobs_left(database) == ({job} if stays else set())


def test_a_job_that_an_idempotency_key_names_stays(database: Database) -> None:
    jobs = [add_job(database, JobKind.FORGE, "succeeded", 15) for _ in range(2)]
    for job, hours in zip(jobs, (1, 25), strict=True):
        sql(
            database,
            """INSERT INTO idempotency(actor, method, path, key, request_sha256, job_id, status, created_at)
               VALUES ('a', 'POST', '/', :key, '', :job, 202, clock_timestamp() - make_interval(hours => :hours))""",
            key=str(job), job=job, hours=hours,
        )  # fmt: skip
    tidy(database, KEEP)  # forgets the old idempotency key
    assert jobs_left(database) == {jobs[0]}


def test_of_each_app_only_so_many_are_kept(database: Database) -> None:
    mine = [add_job(database, JobKind.FORGE, "succeeded", 1) for _ in range(5)]
    other = add_job(database, JobKind.FORGE, "succeeded", 1, app="other")
    assert jobs_left(database, per_app=2) == {*mine[-2:], other}


def test_an_open_job_is_not_removed_for_its_number(database: Database) -> None:
    mine = [add_job(database, JobKind.INVOKE, state, 1) for state in ("queued", "succeeded", "succeeded")]
    assert jobs_left(database, per_app=1) == {mine[0], mine[2]}


def test_runs_and_calls_go_by_age_with_their_bytes(database: Database) -> None:
    for table, days, more in (("func", 15, "sync, method, path"), ("cron", 91, "trigger")):
        values = "true, 'POST', '/'" if table == "func" else "'manual'"
        for n, state in enumerate(("succeeded", "running"), 1):
            sql(
                database,
                f"""INSERT INTO {table}_executions(id, app, job_id, actor, state, created_at, {more})
                    VALUES ({n}, 'blog', 0, 'a', '{state}', clock_timestamp() - interval '{days} days', {values})""",
            )
    sql(database, "INSERT INTO execution_io(execution) VALUES (1), (2)")
    tidy(database, KEEP)
    assert [count(database, f"{t}") for t in ("func_executions", "cron_executions", "execution_io")] == [1, 1, 1]


def test_an_open_range_of_occurrences_stays(database: Database) -> None:
    for open_, hour in (("true", 1), ("false", 2)):
        sql(
            database,
            f"""INSERT INTO cron_ticks(app, scheduled_for, verdict, decided_by, decided_at, open)
                VALUES ('a', clock_timestamp() - interval '{hour} h', 'skipped_paused', 'b',
                        clock_timestamp() - interval '91 days', {open_})""",
        )
    tidy(database, KEEP)
    assert count(database, "cron_ticks") == 1


def test_a_range_is_as_old_as_its_last_occurrence(database: Database) -> None:
    """A pause of four months ended yesterday, so its row is kept; the row of a single occurrence that was decided as
    long ago is removed.
    """
    for hour, until in ((1, "clock_timestamp() - interval '1 day'"), (2, "NULL")):
        sql(
            database,
            f"""INSERT INTO cron_ticks(app, scheduled_for, verdict, decided_by, decided_at, until)
                VALUES ('a', clock_timestamp() - interval '{hour} h', 'skipped_paused', 'b',
                        clock_timestamp() - interval '120 days', {until})""",
        )
    tidy(database, KEEP)
    assert count(database, "cron_ticks") == 1


def test_the_audit_is_kept_a_year(database: Database) -> None:
    for days in (364, 366):
        sql(
            database,
            f"""INSERT INTO audit(at, actor, method, path, status)
                VALUES (clock_timestamp() - interval '{days} days', 'a', 'POST', '/', 200)""",
        )
    tidy(database, KEEP)
    assert count(database, "audit") == 1


def test_no_batch_holds_a_lock_for_long(database: Database) -> None:
    """30,000 jobs and their output are removed while another thread looks for the oldest lock every 20 ms."""
    sql(
        database,
        """INSERT INTO jobs(kind, class, app, exclusive, state, actor, created_at)
           SELECT 'forge', 'deploy', 'a' || n % 7, true, 'succeeded', 'a', clock_timestamp() - interval '99 days'
             FROM generate_series(1, 30000) n""",
    )
    sql(
        database,
        """INSERT INTO step_logs(job_id, step, seq, chunk)
           SELECT id, 's', n, repeat(md5(CAST(id AS text)), 100) FROM jobs, generate_series(1, 3) n""",
    )
    sql(database, "ANALYZE jobs, step_logs")  # as autovacuum does, but not in time on a busy machine
    tidied = tidy_watched(database)
    assert tidied.removed["jobs"] == 30_000
    assert count(database, "step_logs") == 0


def tidy_watched(database: Database) -> Tidied:
    """Removes old data; fails if a transaction that changed rows was seen to last a second or
    longer, or three seconds while other tests run."""
    done, oldest = threading.Event(), [0.0]

    def look() -> None:
        while not done.wait(0.02):
            with database.transaction() as tx:
                age = tx.scalar(
                    text("""SELECT max(extract(epoch FROM clock_timestamp() - a.xact_start))::float8
                        FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
                       WHERE l.mode = 'RowExclusiveLock' AND a.datname = current_database()
                         AND a.pid <> pg_backend_pid()""")
                )
            oldest[0] = max(oldest[0], age or 0.0)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        tidied = tidy(database, KEEP)
    finally:
        done.set()
        watcher.join()
    print(f"longest batch {tidied.longest_ms} ms, oldest lock seen {oldest[0] * 1000:.0f} ms")
    assert oldest[0] < allowed(1.0), f"a lock was held for {oldest[0]:.2f} s"
    return tidied


def test_one_of_all_beats_does_it_once_an_hour(database: Database) -> None:
    add_job(database, JobKind.FORGE, "succeeded", 15)
    keepers = [Housekeeping(database, Settings()) for _ in range(2)]
    for keeper in keepers:
        keeper.round()
    with database.transaction() as tx:
        told = exclusive_tasks.seen(tx, exclusive_tasks.RETENTION)
    assert told is not None and told.did["removed"] == {"jobs": 1}


def test_a_pass_ends_when_it_is_told_to(database: Database) -> None:
    add_job(database, JobKind.FORGE, "succeeded", 15)
    began = time.monotonic()
    assert tidy(database, KEEP, lambda: False).removed == {}
    assert time.monotonic() - began < 5


def test_files_of_secrets_go_after_an_hour_if_their_job_has_ended(database: Database) -> None:
    for state, hours in (("failed", 2), ("running", 2), ("succeeded", 0)):
        job = add_job(database, JobKind.IMPORT_SECRETS, state, 1)
        past = "clock_timestamp() - make_interval(hours => :hours)"
        insert = f"INSERT INTO secret_files(job_id, app, content, at) VALUES (:job, 'blog', :state, {past})"
        sql(database, insert, job=job, state=state, hours=hours)
    tidy(database, KEEP)
    with database.transaction() as tx:
        left = list(tx.scalars(text("SELECT content FROM secret_files ORDER BY 1")))
    assert left == ["running", "succeeded"]
