"""Shared servers of apps, real and in memory: each app gets its own data and cannot reach another app's."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from norn_tasks.adapters.services import Dumps, GivenServer, LocalServer, SharedServers
from norn_tasks.adapters.services.postgres import CONNECTIONS
from norn_tasks.domain.errors import NoService, ServiceDown, ServiceTaken, StepFailed
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import DumpDirectories, Grant, ServiceKind, dump_directories
from norn_tasks.ports import SharedServices
from tests.fakes.services import FakeServices
from tests.fakes.stop import FakeStop, FakeWatch
from tests.servers import Broker, Postgres, free_port

NO_DUMPS = Dumps(dump_directories(Path("/nowhere"), ""))
_numbers = itertools.count(1)


@dataclass
class Given:
    """An app with a grant of each kind, on servers that other apps share; all names are this test's own."""

    services: SharedServices
    app: str
    urls: dict[ServiceKind, Secret]
    grants: dict[ServiceKind, Grant]

    def url(self, kind: ServiceKind) -> str:
        """Returns the credential of the app for a kind of service: a URL."""
        return self.urls[kind].reveal()

    def keys(self, kind: ServiceKind = ServiceKind.KV) -> redis.Redis:
        """Returns a client of the key-value server, signed in as the app."""
        return redis.Redis.from_url(self.url(kind), decode_responses=True)

    def sql(self, statement: str, database: str = "") -> Any:
        """Runs a statement as the app, by default in its own database."""
        url = self.url(ServiceKind.POSTGRES)
        if database:
            url = url.rpartition("/")[0] + f"/{database}"
        connection = psycopg2.connect(url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def remove(self) -> None:
        """Removes everything that the app was given."""
        for grant in self.grants.values():
            self.services.remove(self.app, grant, FakeStop(), last=True)


Give = Callable[[str], Given]


@pytest.fixture
def servers(postgres: Postgres, broker: Broker, tmp_path: Path) -> SharedServers:
    """Real servers as the operator configures them."""
    keys = GivenServer(broker.url.removesuffix("/0"))
    real = {
        ServiceKind.POSTGRES: GivenServer(postgres.url("postgres")), ServiceKind.KV: keys, ServiceKind.EVENTS: keys,
    }  # fmt: skip
    return SharedServers(real, f"t{os.getpid()}", Dumps(DumpDirectories(tmp_path, tmp_path / "backups")))


def given(services: SharedServices, app: str) -> Given:
    """Gives an app a grant of each kind."""
    name = f"{app}{os.getpid()}x{next(_numbers)}"
    names = {
        ServiceKind.POSTGRES: (name,), ServiceKind.KV: (name,), ServiceKind.EVENTS: (f"{name}.in", f"{name}.out")
    }  # fmt: skip
    grants = {kind: Grant(kind, each) for kind, each in names.items()}
    urls = {kind: services.credential(name, grants[kind], None, FakeStop(), apart=False) for kind in grants}
    for kind, grant in grants.items():
        services.make(name, grant, urls[kind], FakeStop())
    return Given(services, name, urls, grants)


@pytest.fixture
def give(servers: SharedServers) -> Iterator[Give]:
    """A function that grants services to apps, and removes them after the test."""
    made: list[Given] = []

    def one(app: str) -> Given:
        made.append(given(servers, app))
        return made[-1]

    yield one
    for each in made:
        each.remove()


# Both


@pytest.mark.parametrize("real", [True, False])
def test_a_credential_keeps_its_password_and_making_twice_changes_nothing(servers: SharedServers, real: bool) -> None:
    services: SharedServices = servers if real else FakeServices()
    app = given(services, "twice")
    for kind, grant in app.grants.items():
        again = services.credential(app.app, grant, app.urls[kind], FakeStop(), apart=False)
        assert again.reveal() == app.url(kind)
        services.make(app.app, grant, again, FakeStop())
    app.remove()
    app.remove()


# Databases


def test_an_app_owns_its_database(give: Give) -> None:
    app = give("owner")
    app.sql("CREATE TABLE t (n int)")
    app.sql("INSERT INTO t VALUES (7)")
    assert app.sql("SELECT n FROM t") == [(7,)]
    assert app.sql("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user") == [(CONNECTIONS,)]


def test_an_app_enters_no_database_of_another_app(give: Give) -> None:
    first, second = give("first"), give("second")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        first.sql("SELECT 1", database=second.grants[ServiceKind.POSTGRES].names[0])


OF_THE_SERVER = (
    "CREATE ROLE r", "CREATE DATABASE d", "SET ROLE postgres", "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'id'", "CREATE EXTENSION postgres_fdw", "ALTER ROLE postgres PASSWORD 'x'",
    "SELECT rolpassword FROM pg_authid", "ALTER SYSTEM SET work_mem = '1MB'",
)  # fmt: skip


def test_an_app_has_no_rights_over_the_server(give: Give) -> None:
    app, done = give("plain"), []
    for statement in OF_THE_SERVER:
        with contextlib.suppress(psycopg2.Error):
            app.sql(statement)
            done.append(statement)
    assert done == []


def test_a_database_that_norn_did_not_make_is_left_alone(servers: SharedServers, postgres: Postgres) -> None:
    grant = Grant(ServiceKind.POSTGRES, ("postgres",))
    url = servers.credential("thief", grant, None, FakeStop(), apart=False)
    with pytest.raises(ServiceTaken, match="is there already and belongs to the role"):
        servers.make("thief", grant, url, FakeStop())
    servers.remove("thief", grant, FakeStop(), last=True)
    assert psycopg2.connect(postgres.url("postgres")).status == psycopg2.extensions.STATUS_READY


def test_a_snapshot_is_whole_and_readable_by_nobody_else(give: Give, tmp_path: Path) -> None:
    app, watch = give("dumped"), FakeWatch().watch
    app.sql("CREATE TABLE kept (n int)")
    size = app.services.dump(app.app, "a.dump", watch)
    file = tmp_path / "a.dump"
    assert (file.stat().st_size, file.stat().st_mode & 0o077) == (size.bytes, 0)
    assert b"CREATE TABLE public.kept" in file.read_bytes()
    assert (app.services.drop_dump("a.dump"), app.services.drop_dump("a.dump")) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_that_fails_leaves_no_file(servers: SharedServices, tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"the PostgreSQL for apps refuses: .*nosuch.* does not exist"):
        servers.dump("nosuch", "a.dump", FakeWatch().watch)
    assert list(tmp_path.iterdir()) == []


# Keys and topics


def test_an_app_works_with_its_own_keys_and_topics(give: Give) -> None:
    app = give("own")
    keys, (topic, _) = app.keys(), app.grants[ServiceKind.EVENTS].names
    keys.set(f"{app.app}:a", "1")
    app.keys(ServiceKind.EVENTS).xadd(topic, {"body": "x"})
    assert keys.incr(f"{app.app}:a") == 2
    assert app.keys(ServiceKind.EVENTS).xlen(topic) == 1


CLOSED = (
    "GET {key}", "SET {key} 1", "DEL {key}", "XADD {topic} * a b", "XRANGE {topic} - +", "KEYS *", "SCAN 0",
    "RANDOMKEY", "DBSIZE", "FLUSHALL", "SWAPDB 0 1", "ACL LIST", "ACL SETUSER x on", "CONFIG GET *", "MONITOR",
    "CLIENT LIST", "SLOWLOG GET", "PUBSUB CHANNELS", "PUBLISH {key} x", "FUNCTION LIST", "MIGRATE h 1 {key} 0 1",
    "SORT {own} GET {key}", "COPY {key} {own}", "RENAME {own} {key}", "REPLICAOF h 1", "FLUSHDB", "SHUTDOWN",
    "EVAL return(redis.call('get',KEYS[1])) 1 {key}", "EVAL return(redis.call('get','{key}')) 0", "SCRIPT FLUSH",
    "CLIENT TRACKING ON BCAST", "CLIENT TRACKING ON", "CLIENT CACHING YES",
)  # fmt: skip
"""Commands that read or change the data of another app, or list it."""


@pytest.mark.parametrize("kind", [ServiceKind.KV, ServiceKind.EVENTS])
def test_an_app_reaches_no_key_of_another_app(give: Give, kind: ServiceKind) -> None:
    first, second = give("first"), give("second")
    second.keys().set(f"{second.app}:secret", "42")
    topic = second.grants[ServiceKind.EVENTS].names[0]
    names = {"key": f"{second.app}:secret", "own": f"{first.app}:a", "topic": topic}
    client, done = first.keys(kind), []
    for command in CLOSED:
        try:
            client.execute_command(*(word.format(**names) for word in command.split()))
        except redis.ResponseError as refused:
            if "permissions" in str(refused):
                continue
        done.append(command)
    assert done == []


@pytest.mark.parametrize("kind", [ServiceKind.KV, ServiceKind.EVENTS])
def test_an_app_hears_no_key_that_another_app_changes(give: Give, kind: ServiceKind) -> None:
    first, second = give("first"), give("second")
    parts = urlsplit(first.url(kind))
    words = f"HELLO 3 AUTH {parts.username} {parts.password}\r\nCLIENT TRACKING ON BCAST\r\n"
    with socket.create_connection((parts.hostname, parts.port), 10) as listener:
        listener.sendall(words.encode())
        said = listener.makefile("rb")
        next(line for line in said if line[:1] in b"-+")  # the response to the second command
        second.keys().set(f"{second.app}:secret", "42")
        listener.sendall(b"PING\r\n")
        assert said.readline() == b"+PONG\r\n"


def test_removing_takes_the_data_of_one_app_alone(give: Give) -> None:
    first, second = give("first"), give("second")
    for app in (first, second):
        app.keys().set(f"{app.app}:a", "1")
    first.remove()
    assert second.keys().get(f"{second.app}:a") == "1"
    with pytest.raises(redis.AuthenticationError):
        first.keys().ping()
    with pytest.raises(psycopg2.OperationalError):
        first.sql("SELECT 1")


def test_removing_takes_what_an_app_has_in_other_databases(give: Give, broker: Broker) -> None:
    app = give("deep")
    topic = app.grants[ServiceKind.EVENTS].names[0]
    keys, events = (redis.Redis.from_url(app.url(kind), db=5) for kind in (ServiceKind.KV, ServiceKind.EVENTS))
    keys.set(f"{app.app}:a", "1")
    events.xadd(topic, {"body": "x"})
    there = redis.Redis.from_url(broker.url.removesuffix("/0") + "/5")
    there.set(f"{app.app}x:a", "of another one")
    app.remove()
    assert (there.exists(f"{app.app}:a", topic), there.delete(f"{app.app}x:a")) == (0, 1)


def test_a_new_password_closes_the_old_one(give: Give) -> None:
    app, kind = give("fresh"), ServiceKind.KV
    before = app.keys()
    fresh = app.services.credential(app.app, app.grants[kind], None, FakeStop(), apart=False)
    app.services.make(app.app, app.grants[kind], fresh, FakeStop())
    before.connection_pool.disconnect()
    with pytest.raises(redis.AuthenticationError):
        before.ping()


# Servers that do not respond


def test_a_server_that_does_not_answer_is_down() -> None:
    kind = ServiceKind.POSTGRES
    away = SharedServers({kind: GivenServer(f"postgresql://norn:x@127.0.0.1:{free_port()}/postgres")}, "t", NO_DUMPS)
    url = away.credential("blog", Grant(kind, ("d",)), None, FakeStop(), apart=False)
    for ask in (
        lambda: away.require(kind, FakeStop()),
        lambda: away.make("blog", Grant(kind, ("d",)), url, FakeStop()),
    ):
        with pytest.raises(ServiceDown, match="the PostgreSQL for apps does not answer"):
            ask()


def test_a_server_that_answers_is_there_and_keys_of_one_that_does_not_are_down(servers: SharedServices) -> None:
    for kind in (ServiceKind.POSTGRES, ServiceKind.KV, ServiceKind.EVENTS):
        servers.require(kind, FakeStop())
    away = SharedServers({ServiceKind.KV: GivenServer(f"redis://127.0.0.1:{free_port()}")}, "t", NO_DUMPS)
    with pytest.raises(ServiceDown, match="the key-value server for apps does not answer"):
        away.require(ServiceKind.KV, FakeStop())


def test_apps_get_the_address_that_the_operator_names_for_them() -> None:
    server = GivenServer("postgresql://norn:x@10.0.0.1/postgres?sslmode=require", "db.internal:6000")
    kind = ServiceKind.POSTGRES
    url = SharedServers({kind: server}, "t", NO_DUMPS).credential(
        "blog", Grant(kind, ("d",)), None, FakeStop(), apart=True
    )
    parts = urlsplit(url.reveal())
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("db.internal", 6000, "/d", "sslmode=require")


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        (ServiceKind.POSTGRES, "postgresql://10.0.0.1/postgres?user=norn&pass%77ord=hunter2&sslmode=require&sslkey=/k"),
        (ServiceKind.KV, "rediss://10.0.0.1?username=norn&sslmode=require&PASSWORD=hunter2&ssl_password=hunter2"),
    ],
)
def test_apps_get_no_user_of_the_operators(kind: ServiceKind, url: str) -> None:
    given = SharedServers({kind: GivenServer(url)}, "t", NO_DUMPS).credential(
        "blog", Grant(kind, ("d",)), None, FakeStop(), apart=True
    )
    assert urlsplit(given.reveal()).query == "sslmode=require"


def test_a_missing_server_is_named_with_its_setting(tmp_path: Path) -> None:
    kind, setting = ServiceKind.KV, "NORN_SERVICES_KV_URL"
    none = SharedServers(
        {kind: LocalServer(tmp_path, "kv", "key-value server", setting, lambda _: False)}, "t", NO_DUMPS
    )
    with pytest.raises(NoService) as refused:
        none.credential("blog", Grant(kind, ("n",)), None, FakeStop(), apart=False)
    assert setting in refused.value.hint


def test_a_server_that_nobody_offers_to_start_is_used_when_it_runs(tmp_path: Path) -> None:
    note = {"url": "redis://worker:word@127.0.0.1:1", "scheme": "redis", "port": 26379}
    (tmp_path / "kv.json").write_text(json.dumps(note))
    tries = iter((False, False, True))
    server = LocalServer(tmp_path, "kv", "key-value server", "NORN_SERVICES_KV_URL", lambda url: next(tries))
    access = server.access(FakeStop())
    assert (access.url, access.seen) == (note["url"], "norn-services:26379")
