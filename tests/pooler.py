"""Runs PgBouncer in transaction mode in front of a PostgreSQL of the tests: each transaction may get another
connection.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg2

from tests.servers import Postgres, free_port, wait_until

PROGRAM = "/usr/sbin/pgbouncer"
_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {home}/users
pool_mode = transaction
max_client_conn = 500
default_pool_size = {size}
query_wait_timeout = 20
"""


class Pooler:
    """A PgBouncer in `home` that uses at most `size` connections for one database."""

    def __init__(self, home: Path, postgres: Postgres, size: int) -> None:
        assert Path(PROGRAM).exists(), "these tests need PgBouncer: apt-get install pgbouncer"
        self.port = free_port()
        home.mkdir()
        (home / "users").write_text('"postgres" ""\n')
        configuration = home / "pgbouncer.ini"
        configuration.write_text(_CONFIGURATION.format(server=postgres.port, port=self.port, home=home, size=size))
        other: dict[str, Any] = {} if os.geteuid() else {"user": "postgres", "group": "postgres", "extra_groups": []}
        with (home / "log").open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, str(configuration)], stdout=log, stderr=log, cwd="/", **other)
        wait_until(self._answers, 10, "PgBouncer answers")

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url("postgres"), connect_timeout=1).close()
        except psycopg2.OperationalError:
            return False
        return True

    def url(self, name: str) -> str:
        """Returns the URL of a database through the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """Stops PgBouncer immediately."""
        self.process.kill()
        self.process.wait(10)
