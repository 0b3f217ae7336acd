"""A complete Norn with a Cloudflare tunnel: forge makes the rule and the DNS record although its worker dies, and
teardown removes both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import canaries
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.fakes.cloudflare import ACCOUNT, TARGET, TOKEN, TUNNEL, FakeCloudflare
from tests.servers import Broker, Postgres, allowed

WIKI, LAST = {"hostname": "wiki.slopistry.com", "service": "http://10.0.0.9"}, {"service": "http_status:404"}
GUIDE = Path(__file__).parent / "guide/mail-agent/infraspec.yaml"
MAIL, POST = "mail.slopistry.com", "post.slopistry.com"
DYING = {"NORN_TEST_BUILD": "1", "NORN_FAILPOINT": "route-tunnel:effect:kill"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cloudflare() -> Iterator[FakeCloudflare]:
    """A fake of Cloudflare's API, with a rule that belongs to others."""
    fake = FakeCloudflare(config={"ingress": [WIKI, LAST]})
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def norn(cloudflare: FakeCloudflare, postgres: Postgres, private_dir: Path, engine_address: str) -> Iterator[Stack]:
    """A complete Norn with short leases; its deploy worker dies in the first step route-tunnel."""
    home = private_dir / "tunnel"
    home.mkdir()
    broker = Broker(home / "broker")
    environment = {
        "NORN_CLOUDFLARE_URL": cloudflare.url, "NORN_CLOUDFLARE_API_TOKEN": TOKEN, "NORN_CLOUDFLARE_ACCOUNT": ACCOUNT,
        "NORN_CLOUDFLARE_TUNNEL": TUNNEL, "NORN_LEASE_SECONDS": "4", "NORN_HEARTBEAT_SECONDS": "1",
        "NORN_SELF_STOP_SECONDS": "3",
    }  # fmt: skip
    stack = new_stack(postgres, broker.url, home, **environment)
    stack.broker = broker
    stack.keep_secrets()
    try:
        stack.start("api", "observe", "beat")
        stack.spawn("deploy", "dying", **DYING)
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


@pytest.fixture(scope="module")
def watchers(norn: Stack) -> Iterator[canaries.Watchers]:
    assert norn.broker is not None
    watchers = canaries.Watchers(norn.broker.client())
    watchers.marks.append(TOKEN)
    yield watchers
    watchers.close()


def write(stack: Stack, app: str, host: str) -> None:
    """Writes the guide's mail-agent with this name and external host, and without services."""
    spec = yaml.safe_load(GUIDE.read_text())
    del spec["services"]
    spec |= {"app": app, "hosts": spec["hosts"] | {"external": host, "internal": f"{app}-service"}}
    (stack.apps / app).mkdir(exist_ok=True)
    (stack.apps / app / "infraspec.yaml").write_text(yaml.safe_dump(spec))


def seen(cloudflare: FakeCloudflare) -> tuple[list[Any], list[tuple[str, str]]]:
    """Returns the rules' names and the records."""
    records = [(each["name"], each["content"]) for each in cloudflare.records]
    return [rule.get("hostname") for rule in cloudflare.ingress], records


def test_a_name_lives_from_its_forge_to_its_teardown(
    norn: Stack, cloudflare: FakeCloudflare, watchers: canaries.Watchers
) -> None:
    write(norn, "mail-agent", MAIL)
    job = int(norn.json("forge", "mail-agent", "--detach")["job"])
    norn.processes["dying"].wait(allowed(60))
    assert seen(cloudflare) == (["wiki.slopistry.com", MAIL, None], [])
    norn.spawn("deploy")
    assert norn.await_state(job, ["succeeded", "failed", "error"], allowed(60))["state"] == "succeeded"
    assert seen(cloudflare) == (["wiki.slopistry.com", MAIL, None], [(MAIL, TARGET)])
    app = norn.json("status", "mail-agent")
    assert app["external"] == f"{MAIL}: routed"
    # the port at which the router accepts requests for public names
    assert cloudflare.ingress[1]["service"] == "http://127.0.0.1:18799"
    write(norn, "mail-agent", POST)
    assert "the infraspec says post.slopistry.com" in norn.json("status", "mail-agent")["external"]
    norn.norn("forge", "mail-agent")
    assert seen(cloudflare) == (["wiki.slopistry.com", POST, None], [(POST, TARGET)])
    write(norn, "second", POST)
    refused = norn.norn("forge", "second", check=False)
    assert (refused.returncode, b"post.slopistry.com is the public name of mail-agent" in refused.stderr) == (5, True)
    norn.norn("teardown", "mail-agent", "--confirm", "mail-agent")
    assert (cloudflare.ingress, cloudflare.records) == ([WIKI, LAST], [])


def test_the_token_of_the_tunnel_shows_nowhere(norn: Stack, watchers: canaries.Watchers, postgres: Postgres) -> None:
    assert norn.broker is not None
    places = (
        canaries.rows(norn), canaries.files(norn), canaries.broker_keys(norn.broker.client()),
        canaries.answers(norn, ("mail-agent",)), canaries.backup(norn, postgres),
    )  # fmt: skip
    assert canaries.shown((TOKEN,), itertools.chain(*places)) == {}
    assert (watchers.seen, watchers.looks > 100, watchers.messages > 0) == ([], True, True)
