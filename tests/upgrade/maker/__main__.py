"""Makes `../database.sql.gz` and `../age.key`: a database as commit 817adee (migration 0014) left it.

It was run with the code and the fakes of that commit, and cannot run with any later one:

    git worktree add ../old 817adee         # and there: make the environment that CONTRIBUTING.md describes
    cd ../old && PYTHONPATH=. .venv/bin/python .../tests/upgrade/maker

Everything is made by functions of the product: requests to its API, its pipelines over the tests' fakes, its scheduler
and its sweeper. A worker "dies" by an exception that nothing catches. Only times are changed directly.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import history
import under_way
from norn_tasks.store.session import Database
from world import World

from norn_tasks.store import migrate
from tests.servers import Broker, Postgres

HERE = Path(__file__).resolve().parents[1]
APPS_DIR = "/srv/norn/apps"
"""The path of the apps' directory in the dump; the tests replace it by that of `../apps`."""


def main() -> None:
    """Starts the stores, plays the story and writes the dump."""
    home = Path(tempfile.mkdtemp(prefix="norn-"))
    home.chmod(0o755)
    postgres, broker = Postgres(home / "pg"), Broker(home / "broker")
    try:
        postgres.execute("CREATE DATABASE old")
        url = postgres.url("old")
        migrate.upgrade(url)
        _play(url, broker.url, home)
        dumped = _dump(postgres, url).replace(str(home / "apps"), APPS_DIR).encode()
        (HERE / "database.sql.gz").write_bytes(gzip.compress(dumped, mtime=0))
        shutil.copy(home / "age.key", HERE / "age.key")
        shutil.copytree(home / "apps", HERE / "apps", dirs_exist_ok=True)
    finally:
        broker.stop()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def _play(url: str, broker_url: str, home: Path) -> None:
    apps_dir = home / "apps"
    for app in ("pages", "bare"):
        (apps_dir / app).mkdir(parents=True)
        (apps_dir / app / "Dockerfile").write_text("FROM busybox:stable\n")
    world = World(Database(url), broker_url, home, apps_dir)
    history.long_ago(world, apps_dir)
    world.grow_older("100 days")
    history.lately(world, apps_dir)
    world.grow_older("1 hour")
    world.speak()
    under_way.ended(world)
    under_way.arranged(world)
    under_way.left_behind(world)
    time.sleep(1)  # the leases of dead workers end
    under_way.waiting(world)
    world.app.extensions["norn"].close()
    world.database.dispose()


def _dump(postgres: Postgres, url: str) -> str:
    command = [str(postgres.bin / "pg_dump"), "--inserts", "--rows-per-insert=50", "--no-owner", "--no-privileges", url]
    written = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^\\(un)?restrict.*\n", "", written, flags=re.MULTILINE)


if __name__ == "__main__":
    os.umask(0o022)
    main()
