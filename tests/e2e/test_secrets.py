"""Thirty marked secrets ("canaries") in apps of all roles that print everything they are given: the secrets appear
nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import docker
import httpx
import pytest

from norn_tasks import sealing
from tests import sops
from tests.e2e import canaries
from tests.e2e.stack import Stack
from tests.servers import Postgres, allowed, wait_until

WEB, WORKER, CRON, FUNCTION = "cweb", "cworker", "ccron", "cfunc"
APPS = (WEB, WORKER, CRON, FUNCTION)
SERVE = "sh /tell.sh; mkdir -p /tmp/www; sh /tell.sh > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"
WORK = "trap 'exit 0' TERM; while :; do sh /tell.sh; sleep 1 & wait; done"
SPECS = {
    WEB: f"role: webserver\nport: 8080\ncommand: {json.dumps(SERVE)}\nbuild: {{test: sh /tell.sh}}\n",
    WORKER: f"role: worker\ncommand: {json.dumps(WORK)}\n",
    CRON: "role: cron\nschedule: '0 0 1 1 *'\ncommand: sh /tell.sh; sh /edges.sh CANARY_CCRON_0\n",
    FUNCTION: "role: function\ncommand: sh /tell.sh; cat\n",
}


READER = sealing.fresh_key()
"""The key of a user who decrypts an exported file."""

pytestmark = pytest.mark.timeout(600)


@dataclass
class Told:
    """The secrets that were set, the responses of the apps, and the watchers of processes and messages."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    shown: dict[str, bytes] = field(default_factory=dict)
    watchers: canaries.Watchers | None = None

    @property
    def all(self) -> dict[str, str]:
        """All secrets of all apps."""
        return {name: value for values in self.values.values() for name, value in values.items()}


def dotenv(values: dict[str, str]) -> str:
    """Returns the text of a .env file."""
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    return "".join(f'{name}="{value}"\n' for name, value in escaped.items())


def give(stack: Stack, app: str, values: dict[str, str]) -> None:
    """Sets secrets as users do."""
    file = stack.home.parent / f"{app}.env"
    file.write_text(dotenv(values))
    stack.norn("secrets", "set", app, "--from-file", str(file))
    file.unlink()


def give_file(stack: Stack, app: str, values: dict[str, str]) -> None:
    """Sets secrets by a file that sops has encrypted."""
    file = stack.home.parent / "secrets.enc.yaml"
    ours = stack.norn("secrets", "key").stdout.decode().strip()
    file.write_text(sops.encrypt(json.dumps(values), ours))
    stack.norn("secrets", "import", app, str(file))
    file.unlink()


def spec_of(app: str, values: dict[str, str], text: str = "") -> str:
    return f"app: {app}\n{text or SPECS[app]}secrets: [{', '.join(values)}]\n"


@pytest.fixture(scope="module")
def told(stack: Stack) -> Iterator[Told]:
    """Every app was deployed, used, made to fail, and given another secret, while command lines and messages were
    watched.
    """
    stack.keep_secrets()
    assert stack.broker is not None
    told, deploys = Told(watchers=canaries.Watchers(stack.broker.client())), []
    for app, count in zip(APPS, (8, 8, 7, 7), strict=True):
        values = told.values[app] = canaries.made_up(count, app.upper())
        stack.add_app(app, spec_of(app, values), canaries.FILES)
        (give_file if app == CRON else give)(stack, app, values)
        stack.norn("forge", app, "--detach")
        deploys.append(int(stack.norn("deploy", app, "--detach").stdout))
    for job in deploys:
        assert stack.await_state(job, ("succeeded", "failed"), allowed(120))["error"] is None
    use(stack, told)
    fail(stack, told)
    replace(stack, told)
    assert told.watchers is not None
    told.watchers.close()
    yield told


def use(stack: Stack, told: Told) -> None:
    """Makes each app print its environment, and keeps the responses."""
    for app in (WEB, WORKER):
        wait_until(lambda app=app: b"CANARY" in stack.norn("logs", app).stdout, allowed(20), f"{app} has printed")
        told.shown[f"logs of {app}"] = stack.norn("logs", app, "--tail", "500").stdout
    told.shown["one-off"] = stack.norn("run", WORKER, "--", "sh", "/tell.sh").stdout
    told.shown["program"] = stack.norn("exec", WORKER, "--", "sh", "/tell.sh").stdout
    told.shown["export"] = stack.norn("secrets", "export", CRON, "--to", sealing.recipient_of(READER)).stdout
    told.shown["run"] = stack.norn("cron", "run", CRON).stdout
    told.shown["call"] = stack.norn("invoke", FUNCTION, "--body", "-", stdin=bytes(range(256))).stdout
    token = (stack.home / "token").read_text().strip()
    asked = {"Authorization": f"Bearer {token}"}
    told.shown["answer"] = httpx.get(f"{stack.url}/fn/{FUNCTION}", headers=asked, timeout=60).content


def fail(stack: Stack, told: Told) -> None:
    """Deploys a release that prints its secrets and ends, and one whose spec names a missing secret."""
    crash = SPECS[WORKER].replace(json.dumps(WORK), json.dumps("sh /tell.sh; sh /tell.sh | head -c 2000; exit 1"))
    stack.add_app(WORKER, spec_of(WORKER, told.values[WORKER], crash), canaries.FILES)
    told.shown["failed"] = _failed(stack, WORKER)
    told.shown["why"] = stack.norn("why", WORKER, check=False).stdout
    stack.add_app(WORKER, spec_of(WORKER, {**told.values[WORKER], "UNSET_ONE": ""}), canaries.FILES)
    told.shown["missing"] = _failed(stack, WORKER)


def _failed(stack: Stack, app: str) -> bytes:
    done = stack.norn("deploy", app, "--verbose", check=False)
    assert done.returncode == 6, done
    return done.stdout + done.stderr


def replace(stack: Stack, told: Told) -> None:
    """Gives the webserver another value while its replica still has the old one."""
    first = next(iter(told.values[WEB]))
    give(stack, WEB, {first: canaries.made_up(1, "NEW")["CANARY_NEW_0"]})
    told.shown["old value"] = stack.norn("logs", WEB, "--tail", "500").stdout
    stack.norn("restart", WEB)


def shows(told: Told, places: Iterator[tuple[str, bytes]]) -> dict[str, list[str]]:
    """Returns the places that contain a canary."""
    trails = canaries.traces(told.all)
    looked = 0
    found = {}
    for place, data in places:
        looked += 1
        if gave := canaries.given_away(data, trails):
            found[place] = gave
    assert looked, "there was nothing to look at"
    return found


def test_the_apps_were_given_their_secrets(stack: Stack, told: Told) -> None:
    name = stack.rows("SELECT name FROM instance")[0]["name"]
    client = docker.DockerClient(base_url=stack.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    found = client.containers.list(filters={"label": [f"norn.io/instance={name}", f"norn.io/app={WORKER}"]})
    given = dict(line.split("=", 1) for line in found[0].attrs["Config"]["Env"])
    client.close()
    assert {key: given[key] for key in told.values[WORKER]} == told.values[WORKER]


def test_what_they_print_is_marked(told: Told) -> None:
    places = (
        "logs of cweb",
        "logs of cworker",
        "one-off",
        "program",
        "run",
        "call",
        "answer",
        "failed",
        "why",
        "old value",
    )
    assert [place for place in places if b"***" not in told.shown[place]] == []


def test_what_is_no_secret_comes_through_byte_by_byte(told: Told) -> None:
    assert told.shown["call"].endswith(bytes(range(256)))


def test_an_exported_file_is_decrypted_by_sops(told: Told) -> None:
    assert sops.decrypt(told.shown["export"].decode(), READER) == told.values[CRON]


def test_a_missing_secret_is_told_with_the_way_out(told: Told) -> None:
    assert b"cworker names a secret that is not set: UNSET_ONE" in told.shown["missing"]
    assert b"norn secrets set cworker UNSET_ONE" in told.shown["missing"]


def test_no_command_prints_one(told: Told) -> None:
    assert shows(told, iter(told.shown.items())) == {}


def test_no_row_holds_one(stack: Stack, told: Told) -> None:
    assert shows(told, canaries.rows(stack)) == {}


def test_no_file_of_the_server_holds_one(stack: Stack, told: Told) -> None:
    assert shows(told, canaries.files(stack)) == {}


def test_no_backup_holds_one(stack: Stack, told: Told, postgres: Postgres) -> None:
    assert shows(told, canaries.backup(stack, postgres)) == {}


def test_no_command_line_and_no_message_held_one(told: Told) -> None:
    assert told.watchers is not None
    assert (told.watchers.seen, told.watchers.looks > 100, told.watchers.messages > 100) == ([], True, True)


def test_no_key_of_the_broker_holds_one(stack: Stack, told: Told) -> None:
    assert stack.broker is not None
    assert shows(told, canaries.broker_keys(stack.broker.client())) == {}


def test_no_image_holds_one(stack: Stack, told: Told) -> None:
    assert shows(told, canaries.images(stack)) == {}


def test_no_answer_holds_one(stack: Stack, told: Told) -> None:
    assert shows(told, canaries.answers(stack, APPS)) == {}
