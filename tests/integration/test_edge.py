"""The edge (the public HTTPS entry): the real Caddy, with a certificate authority of its own, in front of the router's
port for public names.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from norn_tasks.domain.tunnel.external_host import RouteState
from norn_tasks.domain.tunnel.maintenance import page_of
from tests.e2e.browser import CHROMIUM
from tests.edge_kit import BLOG, FOREIGN, Door, RunningEdge, certificates, edge_before, start_edge, to_this_machine
from tests.router_kit import Message, Server, answer, ask, get, story, until
from tests.servers import free_port

REASON = "this server makes no accounts on Tuesdays"


@asynccontextmanager
async def blog(data: Path, **settings: str) -> AsyncIterator[tuple[RunningEdge, Server, Door]]:
    """Yields an edge, a replica of `blog`, and the router port between them."""
    door = Door()
    async with Server() as replica:
        await door.show(replica)
        async with edge_before(data, door, **settings) as edge:
            yield edge, replica, door
        await door.close()


def admitted(edge: RunningEdge, host: str = BLOG) -> RouteState:
    found = edge.adapter().look(host)
    assert found.certificate is not None, (found.reason, edge.log.read_text())
    return found.state


@contextmanager
def refusing(directory: Path) -> Iterator[tuple[str, Path]]:
    """Runs an ACME server that refuses every account; yields its directory's URL and its own certificate's file."""
    key, certificate = directory / "key.pem", directory / "cert.pem"
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", "req", *words, *names], check=True, capture_output=True)
    certificate.chmod(0o644)

    class Refusing(BaseHTTPRequestHandler):
        def _say(self, status: int, content: dict[str, str]) -> None:
            said = b"" if self.command == "HEAD" else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status == 200 else "application/problem+json")
            self.send_header("Content-Length", str(len(said)))
            self.send_header("Replay-Nonce", "bm9uY2U")
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self._say(200, {name: f"{issuer}/{name}" for name in ("newNonce", "newAccount", "newOrder")})

        do_HEAD = do_GET  # noqa: N815 - the base class calls it so

        def do_POST(self) -> None:
            self._say(403, {"type": "urn:ietf:params:acme:error:unauthorized", "detail": REASON})

        def log_message(self, *_: object) -> None:
            """Writes no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    issuer = f"https://127.0.0.1:{server.server_port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"{issuer}/dir", certificate
    finally:
        server.shutdown()
        server.server_close()


@story
async def test_a_name_has_its_certificate_before_the_first_visitor_and_a_foreign_one_gets_none(tmp_path: Path) -> None:
    async with blog(tmp_path) as (edge, replica, _):
        seen = await asyncio.to_thread(edge.adapter().look, BLOG)
        assert (seen.state, seen.reason) == (RouteState.ROUTED, "")
        assert seen.certificate is not None and seen.certificate.until > seen.certificate.since
        assert certificates(edge) == {BLOG} and not replica.heard

        refused = await asyncio.to_thread(edge.adapter().look, FOREIGN)
        assert refused.state is RouteState.NOT_ROUTED and f"no certificate for {FOREIGN}" in refused.reason
        assert (await edge.curl(host=FOREIGN)).returncode == 35  # the handshake fails
        assert certificates(edge) == {BLOG}


@story
async def test_visitors_come_by_http_1_and_2_and_forge_no_header_of_a_proxy(tmp_path: Path) -> None:
    forged = [f"-H{name}: forged" for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")]
    forged += [f"-H{name}: forged" for name in ("X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP")]
    underscored = ("X_Forwarded_For", "x_forwarded-host", "X-Forwarded_Proto", "x_real-ip")
    forged += [f"-H{name}: forged" for name in underscored]
    async with blog(tmp_path) as (edge, replica, _):
        for version in ("1.1", "2"):
            got = await edge.curl(f"--http{version}", "-w%{http_version}", "-d", "body", *forged)
            assert got.stdout == f"ok{version}", (got, edge.log.read_text())
        for heard in replica.heard:
            assert not any("forged" in value for _, value in heard.fields), heard.fields
            assert heard.all("X-Forwarded-Proto") == ["https"] and heard.body == b"body"
            assert heard.all("X-Forwarded-Host") == [f"{BLOG}:{edge.https}"]
            assert heard.all("X-Forwarded-For") == ["127.0.0.1, 127.0.0.1"]  # the visitor and Caddy
        moved = await get(edge.http, "/a?b=c")
        assert (moved.status, moved.all("Location")) == (308, [f"https://blog.test:{edge.https}/a?b=c"])
        announced = (await edge.curl("-D-", "-o/dev/null")).stdout
        assert f'h3=":{edge.https}"' in announced


@story
async def test_a_browser_comes_by_http_3(tmp_path: Path) -> None:
    async with blog(tmp_path) as (edge, _, _door):
        await asyncio.to_thread(admitted, edge)
        shown = await asyncio.to_thread(by_http_3, edge)
        assert shown == ("ok", "h3"), edge.log.read_text()


def by_http_3(edge: RunningEdge) -> tuple[str, str]:
    """Opens the app's page in a browser that uses HTTP/3 alone; returns the page and the protocol."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", edge.https)) as plain,
        context.wrap_socket(plain, server_hostname=BLOG) as secure,
    ):
        key = x509.load_der_x509_certificate(secure.getpeercert(True) or b"").public_key()
    known = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    words = (
        "--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules=MAP {BLOG} 127.0.0.1",
        f"--origin-to-force-quic-on={BLOG}:{edge.https}",
        f"--ignore-certificate-errors-spki-list={base64.b64encode(known).decode()}",
    )  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=words)
        page = browser.new_page()
        page.goto(f"https://{BLOG}:{edge.https}/")
        protocol = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
        shown = page.inner_text("body"), str(protocol)
        browser.close()
    return shown


@story
async def test_a_caddy_that_is_killed_is_back_on_the_same_sockets(tmp_path: Path) -> None:
    async with blog(tmp_path) as (edge, _, _door):
        await asyncio.to_thread(admitted, edge)
        before = edge.caddy
        os.kill(before, signal.SIGKILL)
        got = await edge.curl()  # the request waits in the socket
        assert (got.returncode, got.stdout) == (0, "ok"), edge.log.read_text()
        assert edge.caddy not in (0, before)
        rights = Path(f"/proc/{edge.caddy}/status").read_text()
        assert "CapEff:\t0000000000000000" in rights and "NoNewPrivs:\t1" in rights


@story
async def test_a_request_waits_for_a_router_that_is_started_again(tmp_path: Path) -> None:
    async with blog(tmp_path) as (edge, replica, door):
        await asyncio.to_thread(admitted, edge)
        await door.close()
        asked = asyncio.create_task(edge.curl())
        next_door = Door(door.port)
        await asyncio.sleep(0.2)
        assert not asked.done()
        await next_door.show(replica)
        assert (await asked).stdout == "ok"
        await next_door.close()


@story
async def test_a_port_that_is_taken_is_a_sentence_and_the_app_serves_meanwhile(tmp_path: Path) -> None:
    port = free_port()
    taken = socket.create_server(("127.0.0.1", port))
    door = Door()
    async with Server() as replica:
        await door.show(replica)
        edge = start_edge(tmp_path, door.port, https_port=str(port))
        try:
            await until(lambda: edge.state() is not None, "the edge reports", 60)
            found = edge.state()
            assert found is not None
            assert found.sentence == f"the edge cannot open port {port}: another program has it"
            assert f"sport = :{port}" in found.hint and "NORN_EDGE_HTTPS_PORT" in found.hint
            assert (await get(door.own)).body == b"ok"
            taken.close()
            await until(lambda: edge.state() is not None and not edge.state().sentence, "the edge serves", 30)  # type: ignore[union-attr]
        finally:
            edge.process.terminate()
            await asyncio.to_thread(edge.process.wait, 30)
            await door.close()


@story
async def test_an_issuer_that_is_down_is_a_sentence(tmp_path: Path) -> None:
    issuer = f"https://127.0.0.1:{free_port()}/dir"
    async with blog(tmp_path, issuer=issuer) as (edge, _, door):
        seen = await asyncio.to_thread(edge.adapter().look, BLOG)
        assert seen.state is RouteState.NOT_ROUTED
        assert f"no certificate for {BLOG}" in seen.reason and "connection refused" in seen.reason, seen.reason
        assert (await get(door.own)).body == b"ok"


@story
async def test_an_issuer_that_refuses_is_a_sentence_with_its_own_reason(tmp_path: Path) -> None:
    with refusing(tmp_path) as (issuer, certificate):
        async with blog(tmp_path, issuer=issuer, SSL_CERT_FILE=str(certificate)) as (edge, _, door):
            seen = await asyncio.to_thread(edge.adapter().look, BLOG)
            assert seen.state is RouteState.NOT_ROUTED
            assert f"no certificate for {BLOG}" in seen.reason and REASON in seen.reason, seen.reason
            assert (await get(door.own)).body == b"ok"


@story
async def test_a_name_that_leads_elsewhere_is_a_sentence_and_costs_no_order(tmp_path: Path) -> None:
    async def another(_request: Message, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"another server"))

    async with blog(tmp_path) as (edge, _, door), Server(another) as other:
        adapter = edge.adapter(to_this_machine, public=True)
        elsewhere = type(adapter)(**{**vars(adapter), "http_port": other.port})
        seen = await asyncio.to_thread(elsewhere.look, BLOG)
        assert seen.state is RouteState.NOT_ROUTED
        assert seen.reason == f"{BLOG} leads to 127.0.0.1, which is another server: correct its DNS"

        unknown = await asyncio.to_thread(edge.adapter(lambda _: [], public=True).look, BLOG)
        assert unknown.reason == f"the name {BLOG} has no address yet: point it at this server in its DNS"
        assert certificates(edge) == set()
        assert (await get(door.own)).body == b"ok"


@story
async def test_a_door_at_all_addresses_answers_whether_a_name_may_have_a_certificate() -> None:
    for host in ("127.0.0.1", "0.0.0.0", ""):
        door = Door(host=host)
        async with Server() as replica:
            await door.show(replica)
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            for name, status in ((BLOG, 200), (FOREIGN, 404)):
                asked = await ask(reader, writer, f"GET /ask?domain={name} HTTP/1.1", f"Host: 127.0.0.1:{door.port}")
                assert asked.status == status, (host, name)
            writer.close()
            await door.close()
        assert not replica.heard


@story
async def test_an_app_in_maintenance_shows_its_page_and_its_replicas_hear_nothing() -> None:
    page = page_of("blog", "Back at 14:00 & later.")
    door = Door()
    async with Server() as replica:
        await door.show(replica, maintenance=page)
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for method in ("GET", "POST", "HEAD"):  # on one connection
            got = await ask(
                reader, writer, f"{method} / HTTP/1.1", f"Host: {BLOG}", body=b"x" if method == "POST" else b""
            )
            assert (got.status, got.all("Retry-After"), got.all("Cache-Control")) == (503, ["60"], ["no-store"])
            assert got.body == (b"" if method == "HEAD" else page.encode())
        assert "Back at 14:00 &amp; later." in page and not replica.heard
        await door.show(replica)
        assert (await ask(reader, writer, "GET / HTTP/1.1", f"Host: {BLOG}:443")).body == b"ok"
        assert (await ask(reader, writer, "GET / HTTP/1.1", "Host: 127.0.0.1")).status == 404
        writer.close()
        await door.close()
