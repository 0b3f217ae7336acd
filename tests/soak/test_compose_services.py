"""docker-compose.yml runs the servers of apps: an app reaches them, and its database is saved and restored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.e2e.test_compose import SERVERS, Compose, base, compose, notes
from tests.servers import allowed, wait_until

SPEC = """\
app: composedshop
role: cron
schedule: "0 0 1 1 *"
command: sh /ask.sh
services:
  postgres: {database: composedshop_db}
  kv: {namespace: composedshop}
  events: {topics: [composedshop.a]}
migrations: {command: sh /ask.sh}
"""
ASK = """\
for url in "$DATABASE_URL" "$KV_URL" "$EVENTS_URL"; do
  at=${url##*@} at=${at%%/*}
  nc -w 3 "${at%%:*}" "${at##*:}" </dev/null && echo "${at%%:*} answers"
done
"""
__all__ = ["base", "compose"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def served(compose: Compose) -> Iterator[Compose]:
    """The control plane of docker-compose.yml, with its servers of apps running."""
    wait_until(lambda: all(map(Path.exists, notes(compose))), allowed(60), "the servers of apps run")
    yield compose
    print(compose.run("logs", *SERVERS, check=False).stdout[-3000:])


def test_an_app_uses_its_services(served: Compose, tmp_path: Path) -> None:
    (tmp_path / "infraspec.yaml").write_text(SPEC)
    (tmp_path / "ask.sh").write_text(ASK)
    (tmp_path / "Dockerfile").write_text("FROM busybox:stable\nCOPY ask.sh /ask.sh\n")
    said = served.norn("deploy", str(tmp_path))
    assert "composedshop is live as release 1" in said
    run = json.loads(served.norn("cron", "run", "composedshop", "-o", "json"))
    assert run["stdout"] == "norn-services answers\n" * 3
    (snapshot,) = json.loads(served.norn("db", "snapshots", "composedshop", "-o", "json"))["items"]
    assert snapshot["reason"] == "deploy"
    file = served.environment["NORN_HOST_DIR"] + f"/snapshots/composedshop-{snapshot['id']}.dump"
    assert Path(file).read_bytes()[:5] == b"PGDMP"
    served.norn("db", "restore", "composedshop", str(snapshot["id"]), "--confirm", "composedshop")


def test_they_come_back_where_they_were(served: Compose) -> None:
    served.run("kill", "-s", "SIGKILL", *SERVERS)
    served.run("up", "--detach", "--no-deps", *SERVERS)
    served.norn("db", "snapshot", "composedshop")
    run = json.loads(served.norn("cron", "run", "composedshop", "-o", "json"))
    assert run["stdout"] == "norn-services answers\n" * 3


def test_the_server_may_not_use_the_engine(served: Compose) -> None:
    asked = ("exec", "-T", "--user", "norn-stores", "services-postgres", "python", "-c")
    connect = "import socket; socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')"
    refused = served.run(*asked, connect, check=False)
    assert (refused.returncode, "PermissionError" in refused.stderr + refused.stdout) == (1, True)
    note = json.loads((Path(served.environment["NORN_HOST_DIR"]) / "services" / "postgres.json").read_text())
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host="127.0.0.1", port=note["port"], user="postgres").close()
