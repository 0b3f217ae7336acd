"""A worker that is killed at each change that it makes on a server of apps: the next one ends the job, and nothing is
left or lost.

Real workers provision, rotate, snapshot, restore and purge; the servers of apps are those that `norn up` runs, reached
through relays. `make soak T=tests/soak/test_service_kills.py` prints each place of a death.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import pytest
import redis

from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.secret import current
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Database
from tests.e2e.databases import ENDS, AppDatabase
from tests.e2e.stack import Stack
from tests.fatal_relay import Death, FatalRelay
from tests.servers import allowed, wait_until

ENVIRONMENT = {
    "NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1", "NORN_SELF_STOP_SECONDS": "3", "NORN_WORKERS_DEPLOY": "4",
}  # fmt: skip
ROWS = 500
SPEC = """\
app: {app}
role: cron
schedule: "0 0 1 1 *"
command: "true"
services:
  postgres: {{database: {base}_db}}
  kv: {{namespace: {app}}}
  events: {{topics: [{app}.a, shared.topic]}}
"""
CHANGES = re.compile(
    rb"Q.{4}\s*(?:CREATE|ALTER|DROP|REVOKE|GRANT|BEGIN|COMMIT|COPY)|\r\n(?:ACL|UNLINK|DEL)\r\n", re.DOTALL
)
"""The messages that change something on PostgreSQL or Valkey."""
READS = re.compile(rb"Q.{4}\s*(?:BEGIN|SET TRANSACTION|LOCK|COPY|SELECT pg_catalog.(?:pg_export|count))", re.DOTALL)
"""The messages of a dump at which the worker is killed."""

pytestmark = pytest.mark.timeout(1700)


def base_of(app: str) -> str:
    """Returns the beginning of the name of an app's database."""
    return app.replace("-", "_")


@dataclass(frozen=True)
class Plane:
    """A Norn whose deploy worker reaches the servers of apps through relays."""

    stack: Stack
    relays: tuple[FatalRelay, FatalRelay]

    @property
    def through_relays(self) -> dict[str, str]:
        """The settings of a worker that uses the relays."""
        postgres, keys = self.relays
        word = unquote(urlsplit(self.stack.admin_of("kv")).password or "")
        return {
            "NORN_SERVICES_POSTGRES_URL": f"postgresql://manager:word@127.0.0.1:{postgres.port}/postgres",
            "NORN_SERVICES_KV_URL": f"redis://worker:{word}@127.0.0.1:{keys.port}",
        }

    def worker(self) -> None:
        """Starts a deploy worker."""
        self.stack.spawn("deploy", **self.through_relays)

    def killed(self, pattern: re.Pattern[bytes], n: int, *, after: bool, begin: Callable[[], int]) -> bool:
        """Begins a job whose worker dies at the n-th message, and lets another one end it; returns False if the job
        ended before the n-th message.
        """
        death = Death(self.stack.processes["deploy"], pattern, n, after)
        for relay in self.relays:
            relay.death = death
        job = begin()
        wait_until(lambda: death.message or self.stack.job(job)["state"] in ENDS, allowed(90), "it dies or ends")
        if death.message:
            print(f"\n{'after' if after else 'before'} {_readable(death.message)}")
            death.worker.wait(allowed(10))
            self.worker()
        row = self.stack.await_state(job, ENDS, allowed(90))
        for relay in self.relays:
            relay.death = None
        assert row["state"] == "succeeded", (row["error"], death.message, after)
        return bool(death.message)

    def deaths(
        self,
        pattern: re.Pattern[bytes],
        begin: Callable[[str], int],
        check: Callable[[str], Any],
        prepare: Callable[[str], Any] = str,
    ) -> int:
        """Repeats the job, and each worker dies one message later than the one before, until a worker does not die:
        once with deaths before the message, once with deaths after it. Returns the number of deaths.

        The three functions get the name of the case: `prepare` runs before it, `begin` begins the job, and `check`
        fails if something is left behind or lost.
        """
        count = 0
        for after in (False, True):
            for n in itertools.count(1):
                word = f"{'after' if after else 'before'}{n}"
                prepare(word)
                died = self.killed(pattern, n, after=after, begin=partial(begin, word))
                check(word)
                if not died:
                    break
                count += 1
        return count

    def forge(self, app: str) -> int:
        """Accepts a forge of an app with all services."""
        self.stack.add_app(app, SPEC.format(app=app, base=base_of(app)), {"Dockerfile": "FROM busybox:stable\n"})
        return int(self.stack.json("forge", app, "--detach")["job"])

    def forged(self, app: str) -> str:
        """Forges an app with all services; returns its name."""
        assert self.stack.await_state(self.forge(app), ENDS, allowed(90))["state"] == "succeeded"
        return app

    def credentials(self, app: str) -> dict[str, str]:
        """Returns the credentials that containers of the app get."""
        database = Database(self.stack.database_url, pool=1)
        vault = AgeVault("", self.stack.home / "age.key")
        with database.transaction() as tx:
            sealed = current(secrets.sealed_of(tx, app))
        database.dispose()
        return {name: vault.open(each).reveal() for name, each in sealed.items()}

    def works(self, app: str) -> dict[str, str]:
        """Fails unless the app has all of its parts, and uses each of them with its credential; returns the
        credentials.
        """
        found = self.credentials(app)
        assert found.keys() >= {"DATABASE_URL", "KV_URL", "EVENTS_URL"}
        with closing(psycopg2.connect(found["DATABASE_URL"])) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS probe (n int)")
            connection.commit()
        with redis.Redis.from_url(found["KV_URL"]) as keys, redis.Redis.from_url(found["EVENTS_URL"]) as topics:
            keys.set(f"{app}:probe", 1)
            topics.xadd(f"{app}.a", {"body": "1"})
            topics.xadd("shared.topic", {"body": "1"})
        rows = self.stack.rows("SELECT name FROM service_parts WHERE app = %s AND made_at IS NOT NULL", app)
        assert sorted(each["name"] for each in rows) == sorted([f"{base_of(app)}_db", app, f"{app}.a", "shared.topic"])
        return found

    def on_servers(self) -> dict[str, list[str]]:
        """Lists what the servers have: roles, databases, users, keys and streams."""
        with closing(psycopg2.connect(self.stack.admin_of("postgres"))) as base, base.cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'norn-%' ORDER BY 1")
            roles = [name for (name,) in cursor.fetchall()]
            cursor.execute("SELECT datname FROM pg_database WHERE datname !~ '^(template.|postgres)$' ORDER BY 1")
            databases = [name for (name,) in cursor.fetchall()]
        with redis.Redis.from_url(self.stack.admin_of("kv"), decode_responses=True) as server:
            users = sorted(each for each in server.acl_users() if each.startswith("norn-"))
            return {"roles": roles, "databases": databases, "users": users, "keys": sorted(server.scan_iter())}


def _readable(message: bytes) -> str:
    """Returns the beginning of a message without the verifier of a password."""
    text = re.sub(rb"(?i)PASSWORD .*|>.*|[^ -~]+", b" ", message)[:90]
    return " ".join(text.decode().split())


def refused(credentials: dict[str, str]) -> None:
    """Fails unless the servers refuse all of these credentials."""
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(credentials["DATABASE_URL"]).close()
    for name in ("KV_URL", "EVENTS_URL"):
        with redis.Redis.from_url(credentials[name]) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


@pytest.fixture(scope="module")
def plane(stack: Stack) -> Iterator[Plane]:
    """A Norn with running servers of apps, which its deploy worker reaches through relays."""
    stack.keep_secrets()
    stack.serve_apps()
    admin = stack.admin_of("postgres")
    wait_until(lambda: _answers(admin), allowed(60), "PostgreSQL for apps answers")
    with closing(psycopg2.connect(admin)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE manager SUPERUSER LOGIN PASSWORD 'word'")
        connection.commit()
    postgres, keys = (FatalRelay((stack.addresses_of(each)[0], stack.port_of(each))) for each in ("postgres", "kv"))
    relays = postgres, keys
    made = Plane(stack, relays)
    stack.kill("deploy")
    made.worker()
    yield made
    for relay in relays:
        relay.close()


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def shop(plane: Plane) -> AppDatabase:
    """An app with a live release and rows."""
    plane.forged("shop")
    plane.stack.norn("deploy", "shop")
    return AppDatabase(plane.stack, "shop", "shop_db")


def test_provision(plane: Plane) -> None:
    count = plane.deaths(CHANGES, lambda word: plane.forge(f"made-{word}"), lambda word: plane.works(f"made-{word}"))
    print(f"\nprovision: {count} deaths")
    assert count >= 16


def test_rotate(plane: Plane, shop: AppDatabase) -> None:
    given = [plane.works("shop")]

    def check(word: str) -> None:
        refused(given[-1])
        given.append(plane.works("shop"))

    def begin(word: str) -> int:
        return int(plane.stack.json("services", "rotate", "shop", "--detach")["job"])

    count = plane.deaths(CHANGES, begin, check)
    print(f"\nrotate: {count} deaths")
    assert count >= 12


def test_snapshot(plane: Plane, shop: AppDatabase) -> None:
    shop.fill(ROWS)

    def check(word: str) -> None:
        taken = shop.newest("manual")
        assert (taken["counts"]["public.orders"], shop.rows(), shop.left()) == (ROWS, ROWS, [])
        rows = plane.stack.rows("SELECT app, id FROM snapshots WHERE bytes IS NOT NULL")
        directory = plane.stack.home / "snapshots"
        assert {each.name for each in directory.iterdir()} == {f"{row['app']}-{row['id']}.dump" for row in rows}

    count = plane.deaths(READS, lambda word: shop.ask("snapshot"), check)
    print(f"\nsnapshot: {count} deaths")
    assert count >= 8


def test_restore(plane: Plane, shop: AppDatabase) -> None:
    shop.fill(ROWS)
    number = shop.snapshot()

    def begin(word: str) -> int:
        shop.sql("DELETE FROM orders WHERE n > 7")
        return shop.ask_restore(number)

    def check(word: str) -> None:
        saved = shop.newest("restore")["counts"]["public.orders"]
        assert (saved, shop.rows(), shop.left()) == (7, ROWS, [])
        plane.works("shop")

    count = plane.deaths(CHANGES, begin, check)
    print(f"\nrestore: {count} deaths")
    assert count >= 20


def test_purge(plane: Plane, shop: AppDatabase) -> None:
    def prepare(word: str) -> None:
        before[word] = plane.on_servers()
        plane.works(plane.forged(f"gone-{word}"))

    def begin(word: str) -> int:
        app = f"gone-{word}"
        return int(plane.stack.json("teardown", app, "--purge", "--confirm", app, "--detach")["job"])

    def check(word: str) -> None:
        app = f"gone-{word}"
        assert plane.on_servers() == before[word]
        assert plane.stack.rows("SELECT 1 FROM service_parts WHERE app = %s", app) == []
        assert not plane.credentials(app).keys() & {"DATABASE_URL", "KV_URL", "EVENTS_URL"}

    before: dict[str, dict[str, list[str]]] = {}
    count = plane.deaths(CHANGES, begin, check, prepare)
    plane.works("shop")
    print(f"\npurge: {count} deaths")
    assert count >= 14
