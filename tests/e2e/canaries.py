"""Marked secrets ("canaries"), apps that print everything they were given, and searches for the canaries in all stored
data.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import tarfile
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import redis

from tests.e2e.stack import Stack
from tests.servers import Postgres

MARK = "c4n4ry"
"""This mark is in every line of every canary, and in no other text."""

ENDLESS = ("/api/events/stream", "/api/stream")
"""Addresses whose response never ends."""
LINES = 500
"""The number of log lines that are read from a stream; a worker prints more than that."""

TELL = r"""#!/bin/sh
# Prints what it was given, in the ways in which programs do.
env
env >&2
for name in $(env | sed -n 's/^\(CANARY_[A-Z0-9_]*\)=.*/\1/p'); do
  eval "value=\$$name"
  printf '%s\n' "$value" | base64 -w 0; echo
  printf 'joe:%s' "$value" | base64 -w 0; echo
  [ ${#value} -gt 60 ] || printf %s "$value" | sed 's/./&\n/g' | while IFS= read -r letter; do printf %s "$letter"; done
  echo
done
"""

EDGES = r"""#!/bin/sh
# Writes a canary over the end of what is kept as head, and over the beginning of what is kept as tail.
eval "value=\$$1"
head -c 16380 /dev/zero | tr '\0' h; printf %s "$value"
head -c 300000 /dev/zero | tr '\0' m; printf %s "$value"
head -c 49140 /dev/zero | tr '\0' t
"""

DOCKERFILE = "FROM busybox:stable\nRUN env\nCOPY tell.sh edges.sh /\n"
FILES = {"Dockerfile": DOCKERFILE, "tell.sh": TELL, "edges.sh": EDGES}


def made_up(count: int, prefix: str) -> dict[str, str]:
    """Makes `count` secrets of different shapes."""
    shapes = (
        lambda core: core,
        lambda core: f'{core}/+= "quoted" \\ ü',
        lambda core: f"-----BEGIN {core}-----\n{core}-first-line\n{core}-second-line\n-----END {core}-----\n",
        lambda core: json.dumps({"user": core, "password": f"{core}\n"}),
        lambda core: core * 900,
        lambda core: f"postgres://joe:{core}@host/db?x=%20{core}",
    )
    made = {}
    for n in range(count):
        core = f"{MARK}{secrets.token_hex(4)}"
        made[f"CANARY_{prefix}_{n}"] = shapes[n % len(shapes)](core)
    return made


def traces(values: dict[str, str]) -> list[bytes]:
    """Returns the byte strings that reveal a canary: the mark, its hexadecimal form in a dump, and the base64 forms
    that apps print.
    """
    found = [MARK.encode(), MARK.encode().hex().encode()]
    for value in values.values():
        for text in (f"{value.rstrip()}\n", f"joe:{value.rstrip()}"):
            letters = b64encode(text.encode())
            found.append(letters[8 : min(len(letters) - 4, 200)])
    return found


def given_away(data: bytes, trails: list[bytes]) -> list[str]:
    """Returns, for each byte string in `trails` that occurs in the data, the bytes around its first occurrence."""
    places = [(trail, data.find(trail)) for trail in trails]
    return [f"{data[max(0, at - 60) : at + 60]!r}" for _, at in places if at >= 0]


def shown(secrets: Iterable[str], places: Iterable[tuple[str, bytes]]) -> dict[str, list[str]]:
    """Searches for secrets as they are, in hexadecimal and in base64; returns the places that contain one, each with
    the surroundings.
    """
    trails = [form for each in secrets for form in _forms(each.encode())]
    found = {place: given_away(data, trails) for place, data in places}
    assert found, "there was nothing to look at"
    return {place: gave for place, gave in found.items() if gave}


def _forms(secret: bytes) -> list[bytes]:
    """Returns the secret as it is, in hexadecimal, and in every base64 form that it can have inside a longer text."""
    shifted = [b64encode(b"-" * n + secret)[4:-4] for n in range(3)]
    return [secret, secret.hex().encode(), *shifted]


class Watchers:
    """Watches every command line of the machine and every message to the broker until it is closed.

    `marks` are the byte strings that must not occur; more may be added later.
    """

    def __init__(self, broker: redis.Redis) -> None:
        self.marks = [MARK]
        self.seen: list[str] = []
        self.looks = 0
        self.messages = 0
        self._closed = threading.Event()
        self._broker = broker
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._processes, self._messages)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends the watching."""
        self._closed.set()
        self._broker.ping()  # at this message, the thread that reads messages notices the end
        for thread in self._threads:
            thread.join(10)

    def _processes(self) -> None:
        while not self._closed.wait(0.02):
            self.looks += 1
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    line = (process / "cmdline").read_bytes()
                except OSError:
                    continue
                if any(mark.encode() in line for mark in self.marks):
                    self.seen.append(f"{process}: {line[:200]!r}")

    def _messages(self) -> None:
        with self._broker.monitor() as monitor:
            for message in monitor.listen():
                self.messages += 1
                if any(mark in str(message["command"]) for mark in self.marks):
                    self.seen.append(f"message {str(message['command'])[:200]}")
                if self._closed.is_set():
                    return


# Places where no canary may be


def rows(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yields every row of the database as a dump writes it."""
    tables = stack.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    for table in tables:
        for n, row in enumerate(stack.rows(f'SELECT t::text AS dumped FROM "{table["name"]}" t')):
            yield f"row {n} of {table['name']}", row["dumped"].encode()


def files(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yields every file of the data directory: logs, keys, files that workers have left behind."""
    for path in sorted(stack.home.rglob("*")):
        if path.is_file():
            yield f"file {path.relative_to(stack.home)}", path.read_bytes()


def backup(stack: Stack, postgres: Postgres) -> Iterator[tuple[str, bytes]]:
    """Yields every member of a backup of the control plane, and its dump as SQL."""
    file = stack.home.parent / "canaries.backup"
    stack.norn("backup", str(file))
    with tarfile.open(file) as tar:
        for member in tar.getmembers():
            part = tar.extractfile(member)
            assert part is not None
            data = part.read()
            if member.name == "database.dump":
                restore = [str(postgres.bin / "pg_restore"), "--file=-"]
                data = subprocess.run(restore, input=data, capture_output=True, check=True).stdout
                assert b"COPY public.secrets" in data
            yield f"{member.name} of a backup", data
    file.unlink()


def broker_keys(broker: redis.Redis) -> Iterator[tuple[str, bytes]]:
    """Yields every key of the broker with its content."""
    for key in broker.scan_iter("*"):
        yield f"key {key!r}", key + (broker.dump(key) or b"")


def images(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Yields every image of this control plane: its layers, its history, its configuration."""
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    name = stack.rows("SELECT name FROM instance")[0]["name"]
    for image in client.images.list(filters={"label": f"norn.io/instance={name}"}):
        yield f"layers of {image.tags}", b"".join(image.save())
        yield f"history of {image.tags}", json.dumps([image.history(), image.attrs]).encode()
    client.close()


def answers(stack: Stack, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yields the response of every readable address, for every app, job, deployment, run and call."""
    token = (stack.home / "token").read_text().strip()
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        document = client.get("/api/openapi.json").json()
        for path, item in document["paths"].items():
            if "get" in item and path not in (*ENDLESS, "/api/openapi.json"):
                for address in _filled(stack, path, names):
                    yield f"GET {address}", client.get(address, params=_query(path)).content
        live = {row["app"] for row in stack.rows("SELECT app FROM live_releases")}
        yield from _streams(client, live.intersection(names))


def _streams(client: httpx.Client, names: set[str]) -> Iterator[tuple[str, bytes]]:
    newest = client.get("/api/events").json()["items"][-1]["id"]
    apps = client.get("/api/apps").json()["items"]
    logs = [app["name"] for app in apps if app["name"] in names and app["role"] in ("webserver", "worker")]
    for path, query, lines in zip(ENDLESS, ({}, {"logs": logs, "tail": LINES}), (0, LINES if logs else 0), strict=True):
        yield f"GET {path}", _beginning(client, path, {"after": "0-0", **query}, newest, lines)


def _beginning(client: httpx.Client, path: str, query: dict[str, Any], newest: str, logs: int) -> bytes:
    """Returns a stream's content until the event `newest` and `logs` log lines have arrived."""
    read: list[str] = []
    awaited = True
    with client.stream("GET", path, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            read.append(line)
            awaited = awaited and not line.startswith(f"id: {newest}")
            logs -= line == "event: log"
            if not awaited and logs <= 0:
                break
    return "\n".join(read).encode()


def _query(path: str) -> dict[str, Any]:
    return {"limit": 200} if path in ("/api/events", "/api/audit", "/api/jobs") else {}


def _filled(stack: Stack, path: str, names: tuple[str, ...]) -> list[str]:
    known = {
        "app": names,
        "job": [row["id"] for row in stack.rows("SELECT id FROM jobs WHERE kind <> 'observe'")],
        "deployment": [row["id"] for row in stack.rows("SELECT id FROM deployments")],
        "invocation": [row["id"] for row in stack.rows("SELECT id FROM func_executions")],
        "execution": [row["id"] for row in stack.rows("SELECT id FROM cron_executions")],
    }
    addresses = [path]
    for name in re.findall(r"{(\w+)}", path):
        addresses = [each.replace(f"{{{name}}}", str(one)) for each in addresses for one in known.get(name, [1])]
    return addresses
