"""`norn db`, as users type and read it."""

from __future__ import annotations

import subprocess

import pytest

from norn_cli.commands.data import db
from tests.integration.cli import shapes
from tests.integration.cli.server import Answer

DATABASE = {
    "app": "shop", "name": "shop_db", "bytes": 9_646_899, "connections": 4, "seen_at": "2026-11-23T10:00:00Z",
    "named": True, "schedule": "@daily", "next_backup": None, "last_backup": None, "drilled_at": None,
}  # fmt: skip
ACCEPTED = {"job": 7, "app": "shop", "kind": "restore", "state": "queued", "deployment": None, "execution": None,
            "href": "/api/jobs/7"}  # fmt: skip


def test_databases_are_listed_with_size_and_connections(norn, run):
    norn.on("GET", "/api/databases", shapes.page(DATABASE))
    line = run("db", "list").stdout.splitlines()[1]
    assert line.split()[:6] == ["shop", "shop_db", "9.2", "MiB", "4", "@daily"]


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["snapshot", "shop"], "snapshots", {"backup": False}),
        (["backup", "shop"], "snapshots", {"backup": True}),
        (["drill", "shop"], "drill", {}),
        (["restore", "shop", "12", "--confirm", "shop"], "snapshots/12/restore", {}),
    ],
)
def test_work_on_a_database_is_requested(norn, run, words, path, body):
    norn.on("POST", f"/api/apps/shop/{path}", Answer(ACCEPTED, 202))
    assert run("db", *words, "--detach").exit_code == 0
    assert norn.last("POST", f"/api/apps/shop/{path}").json == body


def test_a_restore_that_nobody_confirms_is_not_requested(norn, run):
    result = run("db", "restore", "shop", "12")
    assert (result.exit_code, norn.asked) == (2, [])
    assert "add --confirm shop" in result.stderr


def test_a_file_is_written_once_and_for_us_alone(norn, run, tmp_path):
    norn.on("GET", "/api/apps/shop/snapshots/12/file", Answer(content_type="application/x", pieces=[b"PGDMP", b"!"]))
    target = tmp_path / "saved.dump"
    assert run("db", "download", "shop", "12", "--output-file", str(target)).exit_code == 0
    assert (target.read_bytes(), target.stat().st_mode & 0o077) == (b"PGDMP!", 0)
    assert "exists already" in run("db", "download", "shop", "12", "--output-file", str(target)).stderr
    assert [each.name for each in tmp_path.glob("*.dump*")] == ["saved.dump"]


def test_the_shell_passes_the_password_in_the_environment(tmp_path):
    psql = tmp_path / "psql"
    psql.write_text('#!/bin/sh\necho "$PGUSER $PGPASSWORD $*"\n')
    psql.chmod(0o700)
    url = "postgresql://norn-a1-shop:pa_-ss@norn-services:25432/shop_db?sslmode=require"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "DATABASE_URL": url}
    done = subprocess.run(["sh", "-c", db._PSQL], env=environment, capture_output=True, text=True, check=True)
    expected = "postgresql://norn-services:25432/shop_db?sslmode=require"
    assert done.stdout == f"norn-a1-shop pa_-ss -v ON_ERROR_STOP=1 {expected}\n"


def test_the_shell_says_what_an_app_or_its_image_lacks():
    for environment, said in (({}, "no DATABASE_URL"), ({"DATABASE_URL": "postgresql://a:b@c/d"}, "no psql")):
        words = ["/bin/sh", "-c", db._PSQL]
        done = subprocess.run(
            words, env={"PATH": "/nowhere", **environment}, capture_output=True, text=True, check=False
        )
        assert said in done.stderr
