"""Buckets of apps on a real object store: each app can use its own bucket and cannot reach another app's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import psycopg2
import pytest

from norn_tasks.adapters.services import Dumps, GivenServer, NoServer, SharedServers
from norn_tasks.adapters.services.dumps import BackupUnusable
from norn_tasks.adapters.services.storage import FileBucket
from norn_tasks.adapters.services.storage.requests import ObjectStore, StoreRefused
from norn_tasks.adapters.services.storage.signing import AccessKey, SigningScope, signed
from norn_tasks.domain.errors import NoService, ServiceDown, ServiceTaken, StepFailed
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.services import Grant, ServiceKind, bucket_variables, dump_directories
from tests.fakes.stop import FakeStop, FakeWatch
from tests.object_store import ObjectStoreServer
from tests.servers import Postgres, free_port

STORAGE = ServiceKind.STORAGE
NO_DUMPS = Dumps(dump_directories(Path("/nowhere"), ""))
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(private_dir: Path) -> Iterator[ObjectStoreServer]:
    """The object store."""
    server = ObjectStoreServer(private_dir / "store")
    yield server
    server.stop()


@dataclass
class Given:
    """An app with a bucket, and its credential."""

    services: SharedServers
    app: str
    grant: Grant
    url: Secret

    def send(self, method: str, path: str, body: bytes = b"", url: Secret | None = None, service: str = "s3") -> int:
        """Sends a signed request as the app, and returns the status; the body of the reply is in `reply`."""
        given = {name: each.reveal() for name, each in bucket_variables(url or self.url, self.grant.names[0]).items()}
        key = AccessKey(given["S3_ACCESS_KEY_ID"], Secret(given["S3_SECRET_ACCESS_KEY"]))
        address = f"{given['S3_ENDPOINT']}{path}"
        scope = SigningScope(key, given["S3_REGION"], service)
        headers = signed(scope, method, address, body, datetime.now(UTC))
        found = httpx.request(method, address, content=body, headers=headers, timeout=10)
        self.reply = found.content
        return found.status_code

    @property
    def bucket(self) -> str:
        """The path of the bucket."""
        return f"/{self.grant.names[0]}"

    def make(self, url: Secret | None = None) -> None:
        """Creates the bucket."""
        self.services.make(self.app, self.grant, url or self.url, FakeStop())

    def credential(self, known: Secret | None, present: Secret | None = None) -> Secret:
        """Returns the credential that the app gets."""
        return self.services.credential(self.app, self.grant, known, FakeStop(), apart=False, present=present)

    def remove(self) -> None:
        """Removes everything that the app was given."""
        self.services.remove(self.app, self.grant, FakeStop(), last=True)


@pytest.fixture
def servers(store: ObjectStoreServer) -> SharedServers:
    """The object store as the operator configures it."""
    return SharedServers({STORAGE: GivenServer(store.url)}, "t", NO_DUMPS)


def given(services: SharedServers) -> Given:
    """Gives an app a bucket."""
    app = f"app{next(_numbers)}"
    made = Given(services, app, Grant(STORAGE, (f"bucket-of-{app}",)), Secret(""))
    made.url = made.credential(None)
    made.make()
    return made


def test_an_app_lists_reads_writes_and_deletes_its_objects(servers: SharedServers) -> None:
    app = given(servers)
    for path, body in ((f"{app.bucket}/a%20b/c%2B%26", b"one"), (f"{app.bucket}/two", b"two")):
        assert app.send("PUT", path, body) == 200
        assert (app.send("GET", path), app.reply) == (200, body)
    assert (app.send("GET", f"{app.bucket}?list-type=2"), app.reply.count(b"<Key>")) == (200, 2)
    assert app.send("DELETE", f"{app.bucket}/two") == 204
    app.remove()
    app.remove()


def test_an_app_reaches_no_other_bucket_and_gets_no_rights(servers: SharedServers) -> None:
    mine, other = given(servers), given(servers)
    assert other.send("PUT", f"{other.bucket}/secret", b"of the other") == 200
    for method, path in (
        ("GET", f"{other.bucket}/secret"), ("GET", f"{other.bucket}?list-type=2"), ("PUT", f"{other.bucket}/x"),
        ("DELETE", f"{other.bucket}/secret"), ("DELETE", other.bucket), ("PUT", "/bucket-of-nobody"),
        ("DELETE", mine.bucket), ("PUT", f"{other.bucket}?policy="), ("PUT", f"{mine.bucket}?tagging="),
    ):  # fmt: skip
        assert (method, path, mine.send(method, path, b"x")) == (method, path, 403)
    assert (mine.send("GET", "/"), b"bucket-of-" + other.app.encode() in mine.reply) == (200, False)
    for action in ("ListUsers", "CreateUser&UserName=x", f"CreateAccessKey&UserName=norn-t-{other.app}-storage"):
        assert mine.send("POST", "/", f"Action={action}&Version=2010-05-08".encode(), service="iam") >= 400
    assert (other.send("GET", f"{other.bucket}/secret"), other.reply) == (200, b"of the other")
    for each in (mine, other):
        each.remove()


def test_a_credential_stays_and_a_new_one_replaces_it(servers: SharedServers) -> None:
    app = given(servers)
    again = app.credential(app.url)
    app.make(again)
    assert again.reveal() == app.url.reveal()
    lost, fresh = app.credential(None, present=app.url), app.credential(None, present=app.url)
    assert app.send("GET", app.bucket) == 200, "containers have the old one until the new one is kept"
    assert app.send("GET", app.bucket, url=lost) == 403, "a worker that died has left it"
    app.make(fresh)
    assert (app.send("GET", app.bucket), app.send("GET", app.bucket, url=fresh)) == (403, 200)
    app.remove()
    assert app.send("GET", app.bucket, url=fresh) == 403


def test_a_bucket_goes_with_its_objects_and_never_before(servers: SharedServers, store: ObjectStoreServer) -> None:
    app = given(servers)
    for n in range(3):
        app.send("PUT", f"{app.bucket}/a%26%3Cb%3E/{n}%2B%20", b"x")
    app.make()
    assert app.send("GET", f"{app.bucket}/a%26%3Cb%3E/1%2B%20") == 200
    app.remove()
    with ObjectStore(store.url) as client, pytest.raises(StepFailed, match="NoSuchBucket"):
        client.s3("GET", app.grant.names[0], "list-type=2")


def test_a_bucket_that_norn_did_not_make_is_not_used_and_not_removed(
    servers: SharedServers, store: ObjectStoreServer
) -> None:
    app = Given(servers, "late", Grant(STORAGE, ("bucket-of-people",)), Secret(""))
    with ObjectStore(store.url) as client:
        client.s3("PUT", "bucket-of-people")
        client.s3("PUT", "bucket-of-people/file", body=b"x")
        app.url = app.credential(None)
        with pytest.raises(ServiceTaken, match="bucket-of-people is there already"):
            app.make()
        app.remove()
        assert client.s3("GET", "bucket-of-people/file") == "x"


def test_an_empty_bucket_that_a_worker_left_without_its_tag_is_used(
    servers: SharedServers, store: ObjectStoreServer
) -> None:
    app = Given(servers, "again", Grant(STORAGE, ("bucket-of-again",)), Secret(""))
    with ObjectStore(store.url) as client:
        client.s3("PUT", "bucket-of-again")
    app.url = app.credential(None)
    app.make()
    assert app.send("PUT", f"{app.bucket}/x", b"x") == 200
    app.remove()


def test_the_secret_of_the_operator_is_in_no_url_of_an_app(servers: SharedServers, store: ObjectStoreServer) -> None:
    named = GivenServer(f"{store.url}?region=eu-1&iam=http://127.0.0.1:{store.port}", "s3.internal:1")
    app = Given(
        SharedServers({STORAGE: named}, "t", NO_DUMPS), "named", Grant(STORAGE, ("bucket-of-named",)), Secret("")
    )
    parts = urlsplit(app.credential(None).reveal())
    assert (parts.netloc.rpartition("@")[2], parts.path, parts.query) == (
        "s3.internal:1",
        "/bucket-of-named",
        "region=eu-1",
    )
    assert unquote(parts.password or "") != "adminsecret/with+signs"


def test_a_store_that_is_away_or_refuses_or_is_missing_is_told(store: ObjectStoreServer) -> None:
    def require(server: GivenServer | NoServer) -> None:
        SharedServers({STORAGE: server}, "t", NO_DUMPS).require(STORAGE, FakeStop())

    require(GivenServer(store.url))
    with pytest.raises(ServiceDown, match="the object store for apps does not answer"):
        require(GivenServer(f"http://a:b@127.0.0.1:{free_port()}"))
    with pytest.raises(StepFailed, match="the object store for apps refuses"):
        require(GivenServer(f"http://adminkey:wrong@127.0.0.1:{store.port}"))
    with pytest.raises(NoService, match="this Norn has no object store for apps"):
        require(NoServer("object store", "NORN_SERVICES_S3_URL"))


def test_a_signature_is_that_of_the_published_example() -> None:
    """The example "GET Object" of the documentation of Signature Version 4 for S3."""
    key = AccessKey("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    headers = signed(SigningScope(key, "us-east-1", "s3"), "GET", url, b"", moment, {"range": "bytes=0-9"})
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert headers["authorization"].endswith(f"Signature={expected}")


# Backups of databases


@pytest.fixture
def dumps(store: ObjectStoreServer, tmp_path: Path) -> Dumps:
    """Dumps whose backups go to a bucket."""
    with ObjectStore(store.url) as client, suppress(StoreRefused):
        client.s3("PUT", "backups-of-norn")
    bucket = FileBucket(store.url, "backups-of-norn", "a/b/")
    return Dumps(dump_directories(tmp_path, "s3://backups-of-norn/a/b"), bucket=bucket)


def test_a_backup_in_a_bucket_is_restored_and_removed(dumps: Dumps, postgres: Postgres, tmp_path: Path) -> None:
    for each in ("saved", "empty"):
        postgres.execute(f"CREATE DATABASE {each}")
    with closing(psycopg2.connect(postgres.url("saved"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders AS SELECT n, md5(n::text) FROM generate_series(1, 100000) n")
    dump = dumps.take(postgres.url("postgres"), "saved", "shop-1.backup", FakeWatch().watch)
    assert (dump.counts, dump.bytes > 1024 * 1024) == ({"public.orders": 100000}, True)
    dumps.restore(postgres.url("empty"), "shop-1.backup", FakeWatch().watch)
    with closing(psycopg2.connect(postgres.url("empty"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
        assert cursor.fetchall() == [(100000,)]
    assert list((tmp_path / "backups").iterdir()) == []
    assert (dumps.remove("shop-1.backup"), dumps.remove("shop-1.backup")) == (True, False)
    with pytest.raises(BackupUnusable, match="the bucket backups-of-norn has no a/b/shop"):
        dumps.restore(postgres.url("empty"), "shop-1.backup", FakeWatch().watch)
    assert list((tmp_path / "backups").iterdir()) == []
    for each in ("saved", "empty"):
        postgres.execute(f"DROP DATABASE {each}")


def test_a_backup_that_the_store_does_not_take_fails(
    postgres: Postgres, store: ObjectStoreServer, tmp_path: Path
) -> None:
    def take(bucket: FileBucket) -> None:
        dumps = Dumps(dump_directories(tmp_path, "s3://none-such"), bucket=bucket)
        dumps.take(postgres.url("postgres"), "postgres", "shop-2.backup", FakeWatch().watch)

    with pytest.raises(StepFailed, match="the object store for apps refuses"):
        take(FileBucket(f"http://adminkey:wrong@127.0.0.1:{store.port}", "none-such"))
    with pytest.raises(ServiceDown, match="does not answer"):
        take(FileBucket(f"http://a:b@127.0.0.1:{free_port()}", "none-such"))
    with pytest.raises(NoService, match="this Norn has no object store"):
        take(FileBucket("", "none-such"))
    assert list((tmp_path / "backups").iterdir()) == []
