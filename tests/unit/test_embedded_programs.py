"""Which version of PostgreSQL's programs saves a database: the oldest one that is not older than the server, also if no
server is installed with it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.programs import choose


def client(directory: Path, major: int) -> Path:
    """Makes a directory like that of the package postgresql-client: pg_dump without a server. Returns its path."""
    directory.mkdir()
    (directory / "pg_dump").write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {major}.4 (Debian)'\n")
    (directory / "pg_dump").chmod(0o755)
    return directory


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    return [client(tmp_path / str(major), major) for major in (15, 18, 16)] + [tmp_path / "none"]


@pytest.mark.parametrize(("server", "nearest"), [(15, 15), (16, 16), (17, 18)])
def test_the_nearest_version_is_taken(installed: list[Path], server: int, nearest: int) -> None:
    found = choose("pg_dump", server, installed)
    assert (found.major, found.path.parent.name, found.server) == (nearest, str(nearest), server)


def test_older_programs_are_refused_with_the_way_to_newer_ones(installed: list[Path]) -> None:
    with pytest.raises(NotStarted) as refused:
        choose("pg_dump", 19, installed)
    assert refused.value.hint.startswith("apt-get install postgresql-client-19")
