"""`python -m norn_tasks.embedded`, the command behind `norn up` and `norn down`: its output and exit status."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from norn_tasks.embedded.leftovers import leftovers
from norn_tasks.embedded.paths import data_paths
from tests.integration.embedded_kit import norn, running
from tests.servers import free_port

Ended = tuple[Path, subprocess.CompletedProcess[str]]


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = norn("up", NORN_DATA_DIR=str(tmp_path / "norn"), NORN_PORT=str(port))
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.stderr
    assert "hint: choose another port: NORN_PORT=" in ended.stderr
    assert not (tmp_path / "norn" / "postgres").exists()


def test_a_second_start_is_refused_with_pid_and_hint(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as started:
        ended = norn("up", NORN_DATA_DIR=str(tmp_path / "norn"))
    assert ended.returncode == 5
    assert f"Norn is already running here (pid {started.pid}, since 2" in ended.stderr
    assert "hint: norn status, norn down" in ended.stderr


def test_a_process_that_cannot_run_ends_the_start_with_its_name_and_log(tmp_path: Path) -> None:
    ended = norn(
        "up",
        NORN_DATA_DIR=str(tmp_path / "norn"),
        NORN_PORT=str(free_port()),
        GUNICORN_CMD_ARGS="--certfile /nowhere",
    )
    assert ended.returncode == 1
    assert "error: api ends as soon as it is started; its log ends: [not_started]\n" in ended.stderr
    assert "/nowhere" in ended.stderr
    assert "stopping what was started" in ended.stdout
    assert list(leftovers(data_paths(tmp_path / "norn"))) == []


@pytest.fixture(scope="module")
def without_database(private_dir: Path) -> Ended:
    """The data directory of a start whose database does not respond, and the result of that start."""
    nowhere = f"postgresql://norn@127.0.0.1:{free_port()}/norn"
    data = private_dir / "without-database"
    return data, norn("up", NORN_DATA_DIR=str(data), NORN_DATABASE_URL=nowhere, NORN_PORT=str(free_port()))


def test_a_database_that_does_not_answer_ends_the_start(without_database: Ended) -> None:
    _, ended = without_database
    assert ended.returncode == 1
    assert "the database of NORN_DATABASE_URL: the database does not answer: Connection refused" in ended.stderr


def test_a_given_database_is_used_and_none_is_started(without_database: Ended) -> None:
    data, _ = without_database
    assert not (data / "postgres").exists()
    assert "[program:postgres]" not in (data / "supervisord.conf").read_text()


def test_a_second_control_plane_beside_the_keys_of_another_is_refused(tmp_path: Path) -> None:
    """Like docker-compose with /var/lib/norn: the directory has keys, and the database is elsewhere."""
    (tmp_path / "token").write_text("norn_secret")
    ended = norn("up", NORN_DATA_DIR=str(tmp_path))
    assert (ended.returncode, "docker-compose up -d" in ended.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    ended = norn("up", NORN_DATA_DIR=str(tmp_path), NORN_PORT="many")
    assert ended.returncode == 2
    assert re.fullmatch(r"error: NORN_PORT: .* \[invalid_request\]\n(hint: .*\n)?", ended.stderr)


def test_a_refusal_is_a_sentence_with_its_code_and_a_way_out(tmp_path: Path) -> None:
    ended = norn("backup", str(tmp_path / "file"), NORN_DATA_DIR=str(tmp_path / "none"))
    assert ended.returncode == 1
    sentence, hint = ended.stderr.splitlines()
    assert re.fullmatch(r"error: there is no .+ \[not_started\]", sentence)
    assert hint.startswith("hint: NORN_DATA_DIR names another directory")


def test_status_tells_the_processes(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as started:
        told = json.loads(norn("status", "--json", NORN_DATA_DIR=str(tmp_path / "norn")).stdout)
        shown = norn("status", NORN_DATA_DIR=str(tmp_path / "norn")).stdout
    assert (told["running"], told["pid"]) == (True, started.pid)
    assert {process["name"] for process in told["processes"]} == {"postgres", "broker", "router"}
    assert f"(pid {started.pid})" in shown


def test_status_of_a_stopped_norn_says_how_to_start_it(tmp_path: Path) -> None:
    ended = norn("status", NORN_DATA_DIR=str(tmp_path))
    assert (ended.returncode, "start it with norn up" in ended.stdout) == (1, True)


def test_down_stops_it_and_says_what_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "norn") as started:
        ended = norn("down", NORN_DATA_DIR=str(tmp_path / "norn"))
        assert list(leftovers(started.where)) == []
    assert ended.returncode == 0
    assert "Norn has stopped." in ended.stdout
    assert "Containers of apps keep running" in ended.stdout


def test_down_without_a_running_norn_is_fine(tmp_path: Path) -> None:
    ended = norn("down", NORN_DATA_DIR=str(tmp_path))
    assert (ended.returncode, "is not running" in ended.stdout) == (0, True)


def test_logs_show_what_the_stores_print(tmp_path: Path) -> None:
    with running(tmp_path / "norn"):
        shown = norn("logs", "postgres", NORN_DATA_DIR=str(tmp_path / "norn")).stdout
    assert "database system is ready to accept connections" in shown


@pytest.mark.parametrize("words", [("logs", "web"), ("logs",)])
def test_logs_that_are_not_there_are_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = norn(*words, NORN_DATA_DIR=str(tmp_path))
    assert (ended.returncode, ended.stderr.startswith("error: no log")) == (3, True)
    assert "[not_found]\nhint: " in ended.stderr
