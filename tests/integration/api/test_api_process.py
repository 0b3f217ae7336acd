"""The API as a process: streams, its end, and its behaviour while PostgreSQL or the broker does not respond."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from norn_cli.uploads.ignoring import Ignored
from norn_cli.uploads.packing import pack
from norn_tasks.domain.jobs.event import EventKind
from norn_tasks.domain.jobs.step import StepPosition
from norn_tasks.store.database import migrate
from norn_tasks.store.database.session import Database
from norn_tasks.store.events.publishing import publish
from norn_tasks.store.ledger.ledger import Ledger
from norn_tasks.store.queue import step_logs
from tests import factories as shared
from tests.architecture.source import ROOT
from tests.integration.api.factories import Api, add_worker
from tests.integration.api.process import ApiProcess
from tests.servers import Broker, Postgres, wait_until

FUNCTION = "function:\n  timeout: 3\n  maxBody: 1KiB\n"


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short path, which other users may enter."""
    path = Path(tempfile.mkdtemp(prefix="norn-api-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def served(home: Path, database: Database, broker: Broker) -> Iterator[ApiProcess]:
    """An API process over the session's stores, for two streams at once."""
    process = ApiProcess(home, database.url, broker.url, max_streams="2")
    yield process
    process.stop()


@pytest.fixture(scope="module")
def lasting_process(lasting: Api, broker: Broker) -> Iterator[ApiProcess]:
    """An API process that tests may share, with a live function `fn` that accepts bodies of up to 1 KiB."""
    home = Path(tempfile.mkdtemp(prefix="norn-api-"))
    shared.add_live(lasting.database, "fn", "function", FUNCTION)
    process = ApiProcess(home, lasting.database.url, broker.url)
    yield process
    process.stop()
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stops a process with SIGSTOP, and lets it continue after the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def took(act: object, *args: object, **more: object) -> tuple[httpx.Response, float]:
    """Returns the response to a request, and how many seconds it took."""
    begin = time.monotonic()
    answer = act(*args, **more)  # type: ignore[operator]
    return answer, time.monotonic() - begin


def test_first_start_leaves_a_token_for_its_owner_that_lets_in(lasting_process: ApiProcess) -> None:
    assert stat.S_IMODE(lasting_process.token_file.stat().st_mode) == 0o600
    with lasting_process.client() as client:
        assert "bootstrap" in [token["name"] for token in client.get("/api/tokens").json()["items"]]


def test_event_arrives_within_a_second(lasting_process: ApiProcess, lasting: Api) -> None:
    with lasting_process.client() as client, client.stream("GET", "/api/events/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        begin = time.monotonic()
        with lasting.database.transaction() as tx:
            publish(tx, EventKind.APP_APPLIED, app="hello")
        kind = next(line for line in lines if line.startswith("event:"))
        assert (kind, time.monotonic() - begin < 1) == ("event: app.applied", True)


def test_stream_beats_and_ends_with_the_process(served: ApiProcess) -> None:
    with served.client() as client, client.stream("GET", "/api/events/stream") as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith(":")) == ": heartbeat"
        begin = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        assert list(lines) == [""]
        served.process.wait(10)
        assert time.monotonic() - begin < 6


def test_streams_beyond_the_limit_are_429_and_a_closed_one_makes_room(served: ApiProcess) -> None:
    with served.client() as client:
        with (
            client.stream("GET", "/api/events/stream"),
            client.stream("GET", "/api/events/stream"),
        ):
            refused = client.get("/api/events/stream")
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        wait_until(lambda: _opens(client), 5, "there is room again")


def _opens(client: httpx.Client) -> bool:
    with client.stream("GET", "/api/events/stream") as stream:
        return stream.status_code == 200


def test_growing_log_arrives_while_the_job_runs(lasting_process: ApiProcess, lasting: Api) -> None:
    database = lasting.database
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "webserver"))
        shared.add_job(tx)
    job = shared.claim(database)
    Ledger(database, patience=5).begin_step(job.fence, StepPosition(0, "build-image"), None)
    logs = f"/api/jobs/{job.id}/logs?follow=1"
    with lasting_process.client() as client, client.stream("GET", logs) as stream:
        with database.transaction() as tx:
            step_logs.append(tx, job.fence, "build-image", 1, "Step 1/3\n")
        begin = time.monotonic()
        assert next(stream.iter_lines()) == "Step 1/3"
        assert time.monotonic() - begin < 2


def test_many_waiting_calls_hold_no_connection_and_keep_health_quick(served: ApiProcess, database: Database) -> None:
    shared.add_live(database, "fn", "function", "function:\n  timeout: 60\n")
    add_worker(database)
    with served.client(90) as client:
        callers = [threading.Thread(target=client.post, args=("/fn/fn",)) for _ in range(100)]
        for caller in callers:
            caller.start()
        wait_until(lambda: len(_jobs(client)) == 100, 30, "all calls wait")
        _, seconds = took(client.get, "/api/health")
        with database.transaction() as tx:
            busy = tx.exec_driver_sql(_CONNECTIONS).scalar_one()
        served.stop()
        for caller in callers:
            caller.join()
    assert seconds < 1
    assert busy <= 45


_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"


def _jobs(client: httpx.Client) -> list[object]:
    return list(client.get("/api/jobs?limit=200").json()["items"])


def send(process: ApiProcess, framing: str, body: bytes, *, half: bool = False) -> bytes:
    """Sends a call of `fn` over a plain socket, and returns the response. With `half` the client closes its sending
    side.
    """
    token = process.token_file.read_text().strip()
    lines = ["POST /fn/fn HTTP/1.1", "Host: x", "Prefer: respond-async", f"Authorization: Bearer {token}", framing]
    head = "\r\n".join([*lines, "", ""])
    with socket.create_connection(("127.0.0.1", process.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        if half:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(4000)


@pytest.mark.parametrize(("size", "status"), [(0x400, b"202"), (0x401, b"413"), (0x4000, b"413")])
def test_chunked_body_is_held_to_its_limit_and_never_cut(lasting_process: ApiProcess, size: int, status: bytes) -> None:
    body = f"{size:x}\r\n".encode() + b"x" * size + b"\r\n0\r\n\r\n"
    assert send(lasting_process, "Transfer-Encoding: chunked", body)[9:12] == status


def test_body_over_its_limit_is_refused_while_it_is_read(lasting_process: ApiProcess) -> None:
    body = b"800\r\n" + b"x" * 0x800 + b"\r\n"
    assert send(lasting_process, "Transfer-Encoding: chunked", body)[9:12] == b"413"


def test_body_that_breaks_off_makes_no_call(lasting_process: ApiProcess) -> None:
    with lasting_process.client() as client:
        before = _jobs(client)
        assert send(lasting_process, "Content-Length: 100", b"only this", half=True)[9:12] in (b"400", b"")
        assert _jobs(client) == before


def test_waiting_call_is_told_where_to_ask_when_the_process_ends(served: ApiProcess, database: Database) -> None:
    shared.add_live(database, "fn", "function", "function:\n  timeout: 30\n")
    add_worker(database)
    answers: list[httpx.Response] = []

    def call() -> None:
        with served.client() as client:
            answers.append(client.post("/fn/fn"))

    caller = threading.Thread(target=call)
    caller.start()
    with served.client() as client:
        wait_until(lambda: client.get("/api/jobs").json()["items"], 10, "the call waits")
    served.stop()
    caller.join()
    assert (answers[0].status_code, "/api/invocations/" in answers[0].json()["hint"]) == (504, True)


def test_open_door_ends_the_process_with_a_sentence(home: Path, database: Database, broker: Broker) -> None:
    with pytest.raises(AssertionError, match="would let anyone in"):
        ApiProcess(home, database.url, broker.url, auth="off", host="0.0.0.0")


# While a store does not respond


@pytest.fixture
def own_postgres(home: Path) -> Iterator[Postgres]:
    """A PostgreSQL that the test may stop."""
    server = Postgres(home / "pg")
    server.execute("CREATE DATABASE norn")
    migrate.upgrade(server.url("norn"))
    yield server
    server.stop()


@pytest.fixture
def apart(home: Path, own_postgres: Postgres, broker: Broker) -> Iterator[ApiProcess]:
    """An API process over that PostgreSQL."""
    process = ApiProcess(home, own_postgres.url("norn"), broker.url)
    yield process
    process.stop()


def test_frozen_database_is_503_in_three_seconds_and_comes_back(apart: ApiProcess, own_postgres: Postgres) -> None:
    with apart.client() as client:
        client.get("/api/apps")
        with frozen_cluster(own_postgres):
            for path in ("/api/apps", "/api/jobs", "/api/health"):
                answer, seconds = took(client.get, path)
                assert (answer.status_code, seconds < 3) == (503, True)
        wait_until(lambda: client.get("/api/apps").status_code == 200, 10, "the API is back")


def test_sender_of_a_large_body_reads_that_nothing_was_done(apart: ApiProcess, own_postgres: Postgres) -> None:
    """If the server closed the connection while the client still sends, the response would be lost with it."""
    with apart.client() as client, frozen_cluster(own_postgres):
        answer = client.post("/fn/fn", content=b"x" * 8_000_000)
    assert (answer.status_code, "retry_after" in answer.json()) == (503, True)


@contextmanager
def frozen_cluster(server: Postgres) -> Iterator[None]:
    """Freezes all processes of PostgreSQL with SIGSTOP, and lets them continue after the block."""
    pids = [server.process.pid, *_children(server.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_killed_database_is_503_in_three_seconds_and_comes_back(apart: ApiProcess, own_postgres: Postgres) -> None:
    with apart.client() as client:
        client.get("/api/apps")
        own_postgres.stop()
        answer, seconds = took(client.get, "/api/apps")
        assert (answer.status_code, answer.json()["code"], seconds < 3) == (503, "database_down", True)
        health = client.get("/api/health")
        assert (health.status_code, health.json()["status"]) == (503, "down")
        own_postgres.start()
        wait_until(lambda: client.get("/api/apps").status_code == 200, 10, "the API is back")


def test_event_stream_survives_an_outage_of_the_database(apart: ApiProcess, own_postgres: Postgres) -> None:
    database = Database(own_postgres.url("norn"))
    with apart.client() as client, client.stream("GET", "/api/events/stream?after=0-0") as stream:
        with database.transaction() as tx:
            publish(tx, EventKind.APP_APPLIED, app="first")
        lines = stream.iter_lines()
        next(line for line in lines if '"first"' in line)
        own_postgres.stop()
        own_postgres.start()
        database.dispose()
        with database.transaction() as tx:
            publish(tx, EventKind.APP_APPLIED, app="later")
        assert next(line for line in lines if '"later"' in line).startswith("data:")
    database.dispose()


def test_frozen_broker_lets_asynchronous_work_in_within_a_second(home: Path, database: Database) -> None:
    broker = Broker(home / "broker")
    process = ApiProcess(home, database.url, broker.url)
    shared.add_live(database, "fn")
    try:
        with process.client() as client, frozen(broker.process.pid):
            for _ in range(3):
                answer, seconds = took(client.post, "/fn/fn", headers={"Prefer": "respond-async"})
                assert (answer.status_code, seconds < 1) == (202, True)
    finally:
        process.stop()
        broker.stop()


def test_killed_broker_makes_health_degraded(home: Path, database: Database) -> None:
    broker = Broker(home / "broker")
    process = ApiProcess(home, database.url, broker.url)
    try:
        broker.stop()
        health = httpx.get(f"{process.url}/api/health")
        told = {check["name"]: check["status"] for check in health.json()["checks"]}
        assert (health.status_code, told["broker"], told["database"]) == (200, "fail", "ok")
    finally:
        process.stop()


def test_the_lines_of_the_manual_deploy_without_norn(served: ApiProcess, tmp_path: Path) -> None:
    blog = tmp_path / "blog"
    blog.mkdir()
    (blog / "infraspec.yaml").write_text("app: blog\nrole: worker\n")
    (blog / "Dockerfile").write_text("FROM busybox:stable\n")
    page = (ROOT / "docs" / "sources.md").read_text().partition("## Without `norn`")[2]
    typed = page.split("```\n")[1].replace("src-…", pack(blog, Ignored(blog, ()), 2**20).revision)
    codes = "curl() { command curl -sS -o /dev/null -w '%{http_code} ' \"$@\"; }\n"
    token = served.token_file.read_text().strip()
    done = subprocess.run(
        ["sh", "-ec", codes + typed], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "NORN_URL": served.url, "NORN_TOKEN": token},
    )  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["201", "202", "201", "202"], "")
