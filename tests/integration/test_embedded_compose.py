"""docker-compose.yml is valid, and runs the processes that `norn up` runs, by the same command lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from norn_tasks.embedded.processes import processes
from norn_tasks.embedded.program import Program
from norn_tasks.settings import load

ROOT = Path(__file__).parents[2]
PROGRAMS = processes(load({}), Path("/"))


def compose(password: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NORN_")}
    return subprocess.run(
        ["docker-compose", "config"],
        cwd=ROOT,
        env=environ | {"NORN_STORE_PASSWORD": password},
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
def test_each_process_has_a_service_with_its_command_line(services: dict[str, Any], program: Program) -> None:
    assert services[program.name]["command"].split() == list(program.argv[2:])


def test_there_are_no_other_services_but_the_stores_and_the_schema(services: dict[str, Any]) -> None:
    assert set(services) - {program.name for program in PROGRAMS} == {"postgres", "broker", "schema"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_only_workers_are_given_the_engine(services: dict[str, Any], program: Program) -> None:
    given = any("docker.sock" in volume for volume in services[program.name]["volumes"])
    assert given == program.name.startswith("worker-")


def test_every_published_port_is_on_loopback(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


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
def test_each_process_has_a_target_with_its_command_line(program: Program) -> None:
    assert re.findall(r'"([^"]*)"', TARGETS[program.name]) == list(program.argv[2:])


def test_what_is_installed_first_does_not_depend_on_our_code() -> None:
    assert DOCKERFILE.index("pip install --no-cache-dir --quiet '.[api,worker]'") < DOCKERFILE.index("COPY norn_api")
