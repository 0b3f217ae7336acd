"""The edge (the public HTTPS entry) under load: deploys, killed processes, many first visitors, streams, and a real
ACME server.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from norn_tasks.domain.tunnel.external_host import RouteState
from norn_tasks.store.replicas.routes import Route
from tests.e2e import loss_free, streams
from tests.e2e.stack import Stack
from tests.edge_kit import BLOG, FOREIGN, Door, RunningEdge, edge_before, start_edge
from tests.router_kit import Message, Server, read_answer, read_head, story
from tests.servers import free_port, wait_until

HTTP, HTTPS, DOOR = free_port(), free_port(), free_port()
EDGE = {
    "NORN_EDGE": "caddy", "NORN_EDGE_ISSUER": "internal", "NORN_EDGE_DOOR": str(DOOR),
    "NORN_EDGE_HTTP_PORT": str(HTTP), "NORN_EDGE_HTTPS_PORT": str(HTTPS),
}  # fmt: skip
ENVIRONMENT = {**loss_free.ENVIRONMENT, **EDGE}
DEPLOYS, AT_LEAST, KILLS = 20, 20_000, 3
DEPLOY_RATE, KEPT = 50, 30
"""The requests per second of each client while apps are built, and the number of connections that one client keeps
open. Both are lower than in the tests without TLS.
"""
WAITS, WAIT_RATE = 30.0, 20
"""A request that came while there was no router must be answered within this many seconds; and the requests per second
of each client in that time. The rate is low because all waiting requests reach the app at the same moment, and the app
(busybox's nc) queues hardly any connection.
"""
SOME = 200
"""The number of successful requests between two kills."""
REFUSED = "refused.example.test"
"""A name for which the ACME server gives no certificate."""


@pytest.fixture
def edge(stack: Stack) -> Iterator[RunningEdge]:
    """The edge of the stack."""
    running = start_edge(stack.home, DOOR, http_port=str(HTTP), https_port=str(HTTPS))
    here = RunningEdge(running.process, running.directory, HTTP, HTTPS, running.log)
    try:
        wait_until(lambda: here.state() is not None, 60, "the edge reports")
        yield here
    finally:
        here.process.terminate()
        here.process.wait(30)


def some_are_answered(clients: loss_free.Clients, count: int = SOME) -> None:
    """Waits until `count` more requests have succeeded."""
    before = clients.answers.total()
    wait_until(lambda: clients.answers.total() >= before + count, 120, f"{count} requests are answered")


@pytest.mark.timeout(1500)
def test_no_request_by_tls_is_lost_by_deploys_and_few_by_kills(stack: Stack, edge: RunningEdge) -> None:
    spec = loss_free.SPEC
    loss_free.SPEC = f"{spec}hosts: {{external: {BLOG}}}\n"
    try:
        life = loss_free.Story(stack)
        life.first()
        print(f"\nstatus: {stack.json('status', loss_free.APP)['external']}")
        url = f"http://127.0.0.1:{HTTPS}"
        with loss_free.Clients(url, rate=DEPLOY_RATE, kept=KEPT, name=BLOG).at_work() as clients:
            for n in range(1, DEPLOYS + 1):
                life.deploy(f"release-{n}")
            wait_until(lambda: clients.asked >= AT_LEAST, 600, "enough was asked")
        print(f"{DEPLOYS} deploys: {clients.told()}")
        assert (dict(clients.failures), clients.asked >= AT_LEAST) == ({}, True)

        with loss_free.Clients(url, kept=KEPT, name=BLOG).at_work() as killed:
            at_most = 0
            for _ in range(KILLS):
                some_are_answered(killed)
                before = edge.caddy
                os.kill(before, signal.SIGKILL)
                at_most += killed.open + KEPT  # an idle connection breaks too, and its next request fails
                wait_until(lambda gone=before: edge.caddy not in (0, gone), 30, "Caddy is back")
            some_are_answered(killed)
        print(f"Caddy killed {KILLS} times, at most {at_most} may fail: {killed.told()}")
        assert not any("refused" in failure.lower() for failure in killed.failures)
        assert killed.failures.total() <= at_most

        with loss_free.Clients(url, rate=WAIT_RATE, kept=KEPT, late=WAITS, name=BLOG).at_work() as restarted:
            some_are_answered(restarted)
            os.kill(stack.processes["router"].pid, signal.SIGKILL)
            at_most = restarted.open
            stack.kill("router")
            stack.start("router")
            some_are_answered(restarted)
        print(f"router killed once, at most {at_most} may fail: {restarted.told()}")
        assert not any("refused" in failure.lower() or "200" in failure for failure in restarted.failures)
        assert restarted.failures.total() <= at_most
    finally:
        loss_free.SPEC = spec


CHAT, NEWS = "chat.example.test", "news.example.test"


@pytest.mark.timeout(3000)
def test_streams_survive_twenty_deploys_of_their_own_and_of_the_other_app(stack: Stack, edge: RunningEdge) -> None:
    apps = {"chat": f"hosts: {{external: {CHAT}}}\n", "news": f"hosts: {{external: {NEWS}}}\n"}
    for app, more in apps.items():
        streams.write(stack, app, 1, more)
        stack.norn("forge", app)
        stack.norn("deploy", app)
    began = time.monotonic()
    with streams.Streams([streams.Door(HTTPS, CHAT), streams.Door(HTTPS, NEWS)]).open() as opened:
        for n in range(2, DEPLOYS + 2):
            for number, (app, more) in enumerate(apps.items()):
                streams.deploy(stack, app, n, more)
                opened.go_on(0)
                opened.go_on(1)
                assert opened.ask(number) == str(n)
        print(f"\n{DEPLOYS} deploys of each of two apps in {time.monotonic() - began:.0f} s\n{opened.told()}")
        assert all((each.releases, each.fault) == ({"1"}, "") for pair in opened.of for each in pair)
        kept = stack.rows("SELECT app, release, connections FROM replicas WHERE state = 'draining' ORDER BY app")
        print(f"draining replicas: {[tuple(row.values()) for row in kept]}")
        assert [(row["app"], row["release"]) for row in kept] == [("chat", 1), ("news", 1)]
        for number in range(2):
            opened.close(number)
        left = time.monotonic()
        wait_until(lambda: not stack.rows("SELECT 1 FROM replicas WHERE state = 'draining'"), 120, "none drains")
        print(f"none is left {time.monotonic() - left:.1f} s after the clients have gone")


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Let's Encrypt's test server, for which every name is on this machine; yields the settings of an edge for it."""
    assert shutil.which("pebble-challtestsrv"), "this proof needs Debian's package pebble: apt-get install pebble"
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    port, dns, http, https = free_port(), free_port(), free_port(), free_port()
    config = tmp_path / "pebble.json"
    config.write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": str(certificate), "privateKey": str(key), "httpPort": http, "tlsPort": https,
        "ocspResponderURL": "", "externalAccountBindingRequired": False, "domainBlocklist": [REFUSED],
    }}))  # fmt: skip
    quiet = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{free_port()}"]
    names = subprocess.Popen(
        ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}", *quiet]
    )
    log = tmp_path / "pebble.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["pebble", "-config", str(config), "-dnsserver", f"127.0.0.1:{dns}"],
            env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: "Listening on" in log.read_text(), 30, "pebble listens")
        tmp_path.chmod(0o755)
        yield {
            "issuer": f"https://127.0.0.1:{port}/dir", "http_port": str(http), "https_port": str(https),
            "SSL_CERT_FILE": str(certificate), "log": str(log),
        }  # fmt: skip
    finally:
        for each in (server, names):
            each.terminate()
            each.wait(30)


@story
async def test_an_acme_server_gets_one_order_of_twenty_first_visitors(tmp_path: Path, pebble: dict[str, str]) -> None:
    log = Path(pebble.pop("log"))
    data = tmp_path / "data"
    data.mkdir()
    door = Door()
    async with Server() as replica:
        await door.show(replica)
        async with edge_before(data, door, **pebble) as edge:
            await asyncio.gather(*(edge.curl(host=FOREIGN) for _ in range(5)))
            assert _orders(log) == 0
            began = time.monotonic()
            visits = await asyncio.gather(*(edge.curl() for _ in range(20)))
            seconds = time.monotonic() - began
            assert [visit.stdout for visit in visits] == ["ok"] * 20, (visits, edge.log.read_text())
            assert _orders(log) == 1
            seen = await asyncio.to_thread(edge.adapter(public=True).look, BLOG)
            assert seen.certificate is not None and _orders(log) == 1
            print(f"\n20 first visitors: 1 order, {seconds:.1f} s; {seen.certificate.note}")
            print("5 visitors of a foreign name: 0 orders")
            await door.show(replica, external=REFUSED)
            refused = await asyncio.to_thread(edge.adapter(public=True).look, REFUSED)
            assert refused.state is RouteState.NOT_ROUTED
            assert f"no certificate for {REFUSED}" in refused.reason and "rejectedIdentifier" in refused.reason, refused
            print(f"an issuer that refuses: {refused.reason}")
        await door.close()


def _orders(log: Path) -> int:
    return len(re.findall(r"POST /order-plz", log.read_text()))


@story
async def test_streams_survive_changes_of_the_replicas_of_both_apps(tmp_path: Path) -> None:
    async def echo(request: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if request.all("Upgrade"):
            writer.write(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while data := await reader.read(1024):
                writer.write(data)
            return
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(1000):
            writer.write(b"a\r\ndata: %04d\r\n" % n)
            await writer.drain()
            await asyncio.sleep(0.05)

    door = Door()
    async with Server(echo) as first, Server(echo) as second:
        await door.show(first)
        async with edge_before(tmp_path, door) as edge:
            await asyncio.to_thread(edge.adapter().look, BLOG)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            socket, events = [
                await asyncio.open_connection("127.0.0.1", edge.https, ssl=context, server_hostname=BLOG)
                for _ in range(2)
            ]
            key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            upgrade = f"GET /ws HTTP/1.1\r\nHost: {BLOG}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n"
            socket[1].write(upgrade.encode())
            events[1].write(f"GET /events HTTP/1.1\r\nHost: {BLOG}\r\n\r\n".encode())
            assert (await read_answer(socket[0])).status == 101
            assert (await read_head(events[0])).status == 200
            for n in range(20):
                other = Route("wiki", 2, ((first, second)[n % 2].target,), release=n, external=FOREIGN)
                await door.show((second, first)[n % 2], others=(other,))
                socket[1].write(b"%04d" % n)
                assert await socket[0].readexactly(4) == b"%04d" % n
                assert b"data: " in await events[0].readuntil(b"data: ")
            for _, writer in (socket, events):
                writer.close()
        await door.close()
    print("\n20 changes of the replicas of two apps: one WebSocket and one event stream went on")
