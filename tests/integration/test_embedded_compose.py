"""docker-compose.yml is valid, and runs the same processes as `norn up` with the same command lines.

Its workers have no fixed names, so that several of a class can run; those of `norn up` are named by their class.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from norn_tasks.embedded.routing.keeper import ROUTER
from norn_tasks.embedded.services.offer import SERVERS, command_of
from norn_tasks.embedded.supervision.processes import processes
from norn_tasks.embedded.supervision.program import SupervisedProgram
from norn_tasks.settings import Settings, load

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    *processes(load({"NORN_EDGE": "caddy", "NORN_EMBEDDED_PROCESSES": "separate"}), Path("/")),
    SupervisedProgram("router", ROUTER, Path("/")),
    *(SupervisedProgram(f"services-{name}", command_of(name), Path("/")) for name in SERVERS),
)


def words_of(program: SupervisedProgram) -> list[str]:
    """Returns the command of a process, without the name of a worker."""
    words = list(program.argv[2:])
    at = words.index("-n") if "-n" in words else len(words)
    return words[:at] + words[at + 2 :]


def compose(password: str, **given: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")}
    return subprocess.run(
        ["docker-compose", "--profile", "edge", "config"],
        cwd=ROOT,
        env=environ | given | {"NORN_STORE_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    told = compose("s3cret")
    assert told.returncode == 0, told.stderr
    read: dict[str, Any] = yaml.safe_load(told.stdout)["services"]
    return read


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_process_has_a_service_with_its_command_line(services: dict[str, Any], program: SupervisedProgram) -> None:
    assert services[program.name]["command"].split() == words_of(program)


def test_there_are_no_other_services_but_the_stores_and_the_schema(services: dict[str, Any]) -> None:
    assert set(services) - {program.name for program in PROGRAMS} == {"postgres", "broker", "schema"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_only_workers_and_servers_of_apps_are_given_the_engine(
    services: dict[str, Any], program: SupervisedProgram
) -> None:
    """A server of apps (PostgreSQL or Valkey, shared by all apps) asks the engine for its bridge networks before the
    server's program starts; that program may not open the engine's socket.
    """
    given = any("docker.sock" in volume for volume in services[program.name]["volumes"])
    assert given == program.name.startswith(("worker-", "services-"))


def test_every_published_port_is_on_loopback(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


FIXED = {"NORN_DATA_DIR", "NORN_DATABASE_URL", "NORN_BROKER_URL"}
"""Settings that the file derives from the project's own variables: its directory, and the password and ports of its
stores.
"""
KEYS = {"NORN_AGE_KEY", "NORN_CLOUDFLARE_API_TOKEN", "NORN_CLOUDFLARE_TUNNEL_TOKEN"}
"""Settings that only workers get."""
FOR_TESTS = {"NORN_TEST_BUILD", "NORN_NOOP_RUNTIME", "NORN_FAILPOINT"}


def test_every_setting_reaches_every_process_and_the_private_key_only_workers() -> None:
    wanted = {f"NORN_{name.upper()}" for name in Settings.model_fields} - FIXED - FOR_TESTS
    told = compose("s3cret", **{name: f"the-{name}" for name in wanted})
    assert told.returncode == 0, told.stderr
    services = yaml.safe_load(told.stdout)["services"]
    for program in PROGRAMS:
        given = services[program.name]["environment"]
        absent = {name for name in wanted if given.get(name) != f"the-{name}"}
        assert absent == (set() if program.name.startswith("worker-") else KEYS), program.name


def test_no_secret_stands_on_a_command_line(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "s3cret" in json.dumps(service.get("command", ""))] == []


def test_without_a_password_nothing_starts() -> None:
    told = compose("")
    assert told.returncode != 0
    assert "choose one" in told.stderr


# The image: a target for each process

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", "")
TARGETS = dict(re.findall(r"^FROM norn AS (\S+)\nCMD \[(.*)\]$", DOCKERFILE, re.MULTILINE))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_process_has_a_target_with_its_command_line(program: SupervisedProgram) -> None:
    assert re.findall(r'"([^"]*)"', TARGETS[program.name]) == words_of(program)


def test_what_is_installed_first_does_not_depend_on_our_code() -> None:
    assert DOCKERFILE.index("pip install --no-cache-dir --quiet '.[server]'") < DOCKERFILE.index("COPY norn_api")
