"""Builds and uses the four apps of the product guide, with the guide's own specs and Dockerfiles, as a reader would.

They are built on images that busybox cannot replace. A machine that reaches no registry may name, in NORN_TEST_IMAGES,
a program that makes them: it is called with the names of the missing images.
"""

from __future__ import annotations

import hmac
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import psycopg2
import pytest
import redis
from docker.errors import APIError, ImageNotFound

from tests.e2e.stack import Stack
from tests.servers import Postgres, allowed, wait_until

NO_TUNNEL = "there is neither an edge (docs/edge.md) nor a tunnel (docs/tunnel.md)"
GUIDE = Path(__file__).parent / "guide"
APPS = ("mail-agent", "queue-processor", "daily-report", "thumbnail-gen")
BASES = ("node:20-alpine", "golang:1.25-alpine", "alpine:3.21")
ENDS = ("succeeded", "failed", "error", "dead", "cancelled", "expired", "superseded")

SIGNING_KEY = b"the key of the guide's thumbnails"
"""The secret of thumbnail-gen."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module", autouse=True)
def engine(engine_address: str) -> Iterator[docker.DockerClient]:
    """A client of the engine. The images that the guide builds on must exist; this is checked before anything
    starts.
    """
    client = docker.DockerClient(base_url=engine_address)
    missing = [name for name in BASES if not _has(client, name)]
    maker = os.environ.get("NORN_TEST_IMAGES")
    if missing and not maker:
        client.close()
        pytest.skip(f"the engine has no {', no '.join(missing)}: pull each, or make them by NORN_TEST_IMAGES")
    if missing:
        subprocess.run([str(maker), *missing], check=True, timeout=600)
    yield client
    client.close()


def _has(client: docker.DockerClient, image: str) -> bool:
    try:
        client.images.get(image)
    except ImageNotFound:
        return False
    return True


class Guide:
    """The guide's apps: each is forged, and its deploy was accepted."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        stack.keep_secrets()
        stack.serve_apps()
        for name in APPS:
            shutil.copytree(GUIDE / name, stack.apps / name)
        with (stack.apps / "thumbnail-gen" / "infraspec.yaml").open("a") as spec:
            spec.write("secrets: [SIGNING_KEY]\n")
        stack.norn("secrets", "set", "thumbnail-gen", "SIGNING_KEY", "-", stdin=SIGNING_KEY)
        for name in APPS:
            stack.norn("forge", name)
        self.jobs = {name: int(stack.json("deploy", name, "--detach")["job"]) for name in APPS}

    def deployed(self, name: str) -> str:
        """Returns the name after the app's deploy has succeeded; if it failed, fails with the output of its steps."""
        row = self._stack.await_state(self.jobs[name], ENDS, 800)
        assert row["state"] == "succeeded", f"{row['error']}\n{self.log(name)}"
        return name

    def log(self, name: str, *more: str) -> str:
        """Returns the output of the deploy's steps."""
        return self._stack.norn("jobs", "logs", str(self.jobs[name]), *more).stdout.decode()

    def steps(self, name: str, kind: str) -> dict[str, Any]:
        """Returns the steps of the app's forge or deploy by name."""
        (job,) = self._stack.json("--app", name, "jobs", "list", "--kind", kind)["items"]
        return {step["name"]: step for step in self._stack.json("jobs", "show", str(job["id"]))["steps"]}


@pytest.fixture(scope="module")
def guide(stack: Stack, engine: docker.DockerClient) -> Iterator[Guide]:
    """The guide's apps. Afterwards the stages of their builds, which have no label, are removed."""
    yield Guide(stack)
    for row in stack.rows("SELECT stages FROM releases"):
        for stage in row["stages"]:
            try:
                engine.images.remove(stage)
            except APIError:  # removed together with another image, or another image is built on it
                continue


def rows(stack: Stack, database: str, statement: str) -> list[tuple[Any, ...]]:
    """Returns the result of a statement in the database of an app."""
    connection = psycopg2.connect(stack.admin_of("postgres").replace("@/postgres", f"@/{database}"))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()


def _get(url: str, path: str) -> httpx.Response:
    return httpx.get(f"{url}{path}", timeout=20)


# Services


def test_a_forge_makes_the_services_of_each_app(stack: Stack, guide: Guide) -> None:
    steps = stack.rows(
        "SELECT j.app, s.note FROM steps s JOIN jobs j ON j.id = s.job_id"
        " WHERE j.kind = 'forge' AND s.name = 'provision-services' AND s.state = 'succeeded'"
    )
    assert {each["app"]: each["note"] for each in steps} == {
        "mail-agent": "database mailagent_db",
        "queue-processor": "namespace queue-processor, topics jobs.pending, jobs.completed",
        "daily-report": "database reports_db",
    }


PROBE = Path(__file__).parent / "services_probe.mjs"


def test_an_app_reaches_nothing_of_another_one_and_nothing_of_the_control_plane(
    stack: Stack, guide: Guide, postgres: Postgres
) -> None:
    name = guide.deployed("mail-agent")
    assert stack.broker is not None
    ports = (stack.port, stack.broker.port, postgres.port, stack.environment["NORN_ROUTER_PORT_FIRST"])
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    words = (
        ",".join(stack.addresses_of("postgres")),
        ",".join(map(str, ports)),
        "reports_db",
        f"norn-{instance}-daily-report",
    )
    probe = stack.norn("exec", name, "--", "node", "--input-type=module", "-e", PROBE.read_text(), "probe", *words)
    own = [f"open: norn-services {stack.port_of('postgres')}", "open: its own database"]
    assert probe.stdout.decode().splitlines() == own


KEYS_PROBE = Path(__file__).parent / "services_probe.sh"


def test_an_app_reads_no_key_and_no_stream_of_another_one(stack: Stack, guide: Guide) -> None:
    name = guide.deployed("queue-processor")
    instance = stack.rows("SELECT name FROM instance")[0]["name"]
    with redis.Redis.from_url(stack.admin_of("kv")) as server:
        server.set("mail-agent:inbox", "of mail-agent")
        server.xadd("mail.received", {"body": "of mail-agent"})
        server.acl_setuser(f"norn-{instance}-mail-agent-kv", enabled=True, passwords=["+of mail-agent"], keys=["*"])
        words = (f"norn-{instance}-mail-agent-kv", "mail-agent:inbox", "mail.received")
        probe = stack.norn("exec", name, "--", "sh", "-c", KEYS_PROBE.read_text(), "probe", *words)
        assert probe.stdout.decode().splitlines() == ["open: its own key", "open: its own topic"]
        assert (server.get("mail-agent:inbox"), server.xlen("mail.received")) == (b"of mail-agent", 1)


# The webserver


@pytest.fixture(scope="module")
def mail(stack: Stack, guide: Guide) -> str:
    """The address of the mail agent."""
    guide.deployed("mail-agent")
    return str(stack.json("status", "mail-agent")["url"])


def test_mail_agent_is_tested_inside_its_image(guide: Guide) -> None:
    step = guide.steps(guide.deployed("mail-agent"), "deploy")["test-image"]
    written = guide.log("mail-agent", "--step", "test-image")
    assert step["state"] == "succeeded"
    assert "> node --test" in written
    assert "fail 0" in written


def test_mail_agent_says_that_it_is_healthy(mail: str) -> None:
    answer = _get(mail, "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_mail_agent_writes_a_mail_into_its_database(stack: Stack, mail: str) -> None:
    asked = {"to": "ann@example.com", "subject": "Hello", "text": "from the guide"}
    made = httpx.post(f"{mail}/messages", json=asked, timeout=20)
    kept = _get(mail, f"/messages/{made.json()['id']}")
    assert (made.status_code, kept.headers["content-type"]) == (201, "message/rfc822")
    assert "Subject: Hello" in kept.text
    assert rows(stack, "mailagent_db", "SELECT subject FROM mails") == [("Hello",)]


@pytest.mark.parametrize("fact", ["running", f"mail.slopistry.com: not routed: {NO_TUNNEL}"])
def test_status_tells_of_mail_agent(stack: Stack, mail: str, fact: str) -> None:
    told = [line.split("  ", 1)[-1].strip() for line in stack.norn("status", "mail-agent").stdout.decode().splitlines()]
    assert fact in told


# The worker


def test_queue_processor_runs(stack: Stack, guide: Guide) -> None:
    app = stack.json("status", guide.deployed("queue-processor"))
    assert (app["state"], app["ready"], app["wanted"]) == ("running", 1, 1)


def test_queue_processor_moves_a_message_between_its_topics(stack: Stack, guide: Guide) -> None:
    name = guide.deployed("queue-processor")
    with redis.Redis.from_url(stack.admin_of("kv"), decode_responses=True) as server:
        server.xadd("jobs.pending", {"body": "360"})
        wait_until(lambda: server.get(f"{name}:done") == "1", allowed(30), "the worker counts its first job")
        ((_, answer),) = server.xrange("jobs.completed")
    assert answer == {"body": "360 = 2 × 2 × 2 × 3 × 3 × 5"}
    wait_until(lambda: b"job 1: 360" in stack.norn("logs", name).stdout, allowed(30), "the worker logs its first job")


# The cron job


def test_daily_report_is_built_with_its_packages(guide: Guide) -> None:
    written = guide.log(guide.deployed("daily-report"), "--step", "build-image")
    assert "RUN npm ci --production" in written
    assert "added " in written


ORDER = """
SET ROLE "{role}";
CREATE TABLE orders (placed_at timestamptz, customer text, product text, pieces integer, cents integer);
INSERT INTO orders VALUES (now() - interval '1 day', 'Ida', 'beans', 3, 450) RETURNING 1"""


def reported(stack: Stack) -> str:
    """Returns the output of daily-report by its schedule; for the test it is due every 5 s."""
    done = "SELECT stdout FROM cron_executions WHERE app = 'daily-report' AND trigger = 'schedule' AND exit_code = 0"
    stack.norn("cron", "set-schedule", "daily-report", "@every 5s")
    wait_until(lambda: stack.rows(done), allowed(60), "the schedule was due, and the report is done")
    stack.norn("cron", "set-schedule", "daily-report", "--clear")
    return str(stack.rows(f"{done} ORDER BY id LIMIT 1")[0]["stdout"])


def test_daily_report_reports_on_schedule_what_is_in_its_database(stack: Stack, guide: Guide) -> None:
    guide.deployed("daily-report")
    role = f"norn-{stack.rows('SELECT name FROM instance')[0]['name']}-daily-report"
    rows(stack, "reports_db", ORDER.format(role=role))
    written = reported(stack)
    assert "(from the database)" in written
    assert "Orders: 1, together 13.50 EUR" in written


# The function


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(width: int, height: int) -> bytes:
    """Returns a PNG picture (RFC 2083) whose colours change from left to right."""
    row = b"\0" + b"".join(bytes((x * 255 // width, 0, 128)) for x in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * height)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def size_of(png: bytes) -> tuple[int, int]:
    """Returns width and height of a picture after checking every chunk byte by byte."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, sizes = 8, []
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunk, at = png[at : at + length + 12], at + length + 12
        assert chunk == _chunk(chunk[4:8], chunk[8:-4])
        if chunk[4:8] == b"IHDR":
            sizes.append(struct.unpack(">II", chunk[8:16]))
    assert chunk[4:8] == b"IEND"
    (size,) = sizes
    return size


@pytest.fixture(scope="module")
def thumbnail(stack: Stack, guide: Guide) -> bytes:
    """The function's result for a picture of 300 x 150."""
    name = guide.deployed("thumbnail-gen")
    return stack.norn("invoke", name, "--body", "-", stdin=picture(300, 150)).stdout


def test_thumbnail_gen_makes_a_smaller_picture(thumbnail: bytes) -> None:
    assert size_of(thumbnail) == (128, 64)


def test_fn_answers_the_same_bytes_as_invoke(stack: Stack, thumbnail: bytes) -> None:
    token = (stack.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{stack.url}/fn/thumbnail-gen", content=picture(300, 150), headers=headers, timeout=60)
    assert (answer.status_code, answer.content) == (200, thumbnail)


def test_the_query_reaches_the_function(stack: Stack, thumbnail: bytes) -> None:
    done = stack.norn("invoke", "thumbnail-gen", "--path", "/?size=16", "--body", "-", stdin=picture(300, 150))
    assert size_of(done.stdout) == (16, 8)


def test_thumbnail_gen_reads_its_secret(stack: Stack, thumbnail: bytes) -> None:
    done = stack.norn("invoke", "thumbnail-gen", "--path", "/?sign=1", "--body", "-", stdin=picture(300, 150))
    assert done.stdout.decode().strip() == hmac.new(SIGNING_KEY, thumbnail, "sha256").hexdigest()


def test_what_is_no_picture_is_refused_in_the_functions_own_words(stack: Stack, thumbnail: bytes) -> None:
    done = stack.norn("invoke", "thumbnail-gen", "--body", "hello", check=False)
    assert done.returncode == 6
    assert b"is not a PNG, JPEG or GIF picture" in done.stderr
