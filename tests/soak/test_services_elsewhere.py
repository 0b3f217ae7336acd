"""A control plane with services of apps is restored into a fresh directory: which data the restore brings back, and
which an operator restores separately.

`norn db backup`, `norn backup` and `norn down`; then elsewhere `norn restore`, `norn up`, forge and `norn db restore`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from norn_tasks.adapters.services.restoring import to
from tests.e2e.machine import Machine
from tests.servers import allowed, wait_until

ROWS = 500
SPEC = """\
app: {name}
role: cron
schedule: "0 0 1 1 *"
command: ["sh", "-c", "at=${{DATABASE_URL%@*}}; echo ${{at##*:}} | md5sum"]
services:
  postgres: {{database: {base}_db, backup: {{schedule: "@every 300d", keep: 2}}}}
  kv: {{namespace: {name}}}
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def machine(private_dir: Path, engine_address: str) -> Iterator[Machine]:
    """A machine with Norn on it."""
    machine = Machine(private_dir / "elsewhere")
    try:
        yield machine
    finally:
        machine.clean_up(engine_address)


def sql(machine: Machine, database: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs a statement as the administrator of the PostgreSQL for apps."""
    note = Path(machine.environment["NORN_DATA_DIR"]) / "services" / "postgres.json"
    wait_until(note.exists, allowed(60), "the PostgreSQL for apps has started")
    with closing(psycopg2.connect(to(json.loads(note.read_text())["url"], database))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


def password(machine: Machine) -> str:
    """Returns the checksum of the password that a run of the app gets."""
    return str(machine.told("cron", "run", machine.name)["stdout"])


def test_credentials_come_back_and_the_data_of_a_backup_are_restored(machine: Machine) -> None:
    base = machine.name.replace("-", "_")
    database = f"{base}_db"
    machine.add(machine.name, SPEC.format(name=machine.name, base=base), Dockerfile="FROM busybox:stable\n")
    machine.norn("up")
    machine.norn("forge", machine.name)
    machine.norn("deploy", machine.name)
    sql(machine, database, f"CREATE TABLE orders AS SELECT n FROM generate_series(1, {ROWS}) n")
    owner = sql(machine, database, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
    sql(machine, database, f'ALTER TABLE orders OWNER TO "{owner[0][0]}"')
    machine.norn("db", "backup", machine.name)
    before, parts = password(machine), machine.told("services", "list")["items"]
    (backup,) = [each for each in machine.told("db", "snapshots", machine.name)["items"] if each["reason"] == "backup"]

    said = machine.norn("backup", str(machine.home / "norn.backup"))
    assert "It has the credentials and the list of 1 database, 1 namespace of apps, not the data in them" in said
    first = Path(machine.environment["NORN_DATA_DIR"])
    machine.norn("down", "--all")
    machine.live_in("second")
    said = machine.norn("restore", str(machine.home / "norn.backup"))
    assert "It has the credentials of 1 database, 1 namespace of apps; their data was not in the backup." in said
    machine.norn("up")

    assert [(each["kind"], each["name"]) for each in machine.told("services", "list")["items"]] == [
        (each["kind"], each["name"]) for each in parts
    ]
    machine.norn("forge", machine.name)
    assert password(machine) == before
    assert sql(machine, database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    second = Path(machine.environment["NORN_DATA_DIR"])
    shutil.copytree(first / "backups", second / "backups", dirs_exist_ok=True)
    machine.norn("db", "restore", machine.name, str(backup["id"]), "--confirm", machine.name)
    assert sql(machine, database, "SELECT count(*) FROM orders") == [(ROWS,)]
    print(f"\nthe same password, and {ROWS} rows of the backup")
