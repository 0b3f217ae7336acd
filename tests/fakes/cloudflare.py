"""A fake of Cloudflare's API v4 on a loopback port, written from its documentation: tunnels, their configuration,
zones, DNS records.

Tests set `zones`, `records`, `ingress` and `faults`, and read `requests`. A fault applies to one request: the next of
its method.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.ingress import read_ingress

ACCOUNT = "0123456789abcdef0123456789abcdef"
TUNNEL = "7e0b2a3c-1111-4222-8333-444455556666"
TOKEN = "cf-token-canary-6f1e"
TARGET = f"{TUNNEL}.cfargotunnel.com"
_NOW = "2026-11-30T12:00:00Z"


@dataclass(frozen=True)
class Fault:
    """A failure of one request: with `status` it is refused; with `lost` it is carried out, but no response is sent."""

    method: str = "GET"
    status: int = 0
    lost: bool = False
    retry_after: str = ""
    html: bool = False


class Refused(Exception):
    """A refusal in the format of Cloudflare's error responses."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class FakeCloudflare:
    """The server. `chance` is the fraction of requests that get a random fault."""

    zones: list[str] = field(default_factory=lambda: ["slopistry.com"])
    records: list[dict[str, Any]] = field(default_factory=list)
    config: dict[str, Any] | None = None
    version: int = 0
    status: str = "healthy"
    config_src: str = "cloudflare"
    denied: tuple[str, ...] = ()
    """The beginnings of paths that the token may not use."""
    faults: list[Fault] = field(default_factory=list)
    chance: float = 0.0
    requests: list[str] = field(default_factory=list)
    chaos: random.Random = field(default_factory=lambda: random.Random(13))

    def __post_init__(self) -> None:
        self._lock, self._ids = threading.Lock(), itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self._server.server_port}/client/v4"

    @property
    def ingress(self) -> list[dict[str, Any]]:
        """The rules of the tunnel."""
        return list((self.config or {}).get("ingress") or [])

    def stop(self) -> None:
        """Stops the server."""
        self._server.shutdown()
        self._server.server_close()

    def add_record(self, kind: str, name: str, content: str, comment: str | None = None) -> None:
        """Adds a DNS record that belongs to others."""
        self.records.append(self._record({"type": kind, "name": name, "content": content, "comment": comment}))

    def writes(self) -> list[str]:
        """Returns all requests that were not reads."""
        return [each for each in self.requests if not each.startswith("GET ")]

    # Requests

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Carries a request out."""
        parts = urlsplit(target)
        path = parts.path.removeprefix("/client/v4")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            try:
                self._allow(token, path)
                return 200, self._route(method, path.strip("/").split("/"), query, body)
            except Refused as refused:
                errors = [{"code": refused.code, "message": refused.message}]
                return refused.status, {"success": False, "errors": errors, "messages": [], "result": None}

    def _allow(self, token: str, path: str) -> None:
        if not token.startswith("Bearer "):
            raise Refused(400, 6003, "Invalid request headers")
        if token != f"Bearer {TOKEN}":
            raise Refused(401, 1000, "Invalid API Token")
        if path.startswith(self.denied) and self.denied:
            raise Refused(403, 10000, "Authentication error")

    def _route(self, method: str, path: list[str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if path == ["user", "tokens", "verify"]:
            return _done({"id": "ed17574386854bf78a67040be0a770b0", "status": "active"})
        if path[0] == "accounts" and path[1] == ACCOUNT and path[2] == "cfd_tunnel":
            return self._tunnel(method, path[3:], query, body)
        if path == ["zones"]:
            named = [name for name in self.zones if query.get("name", name) == name]
            return _paged([{"id": f"zone-{name}", "name": name, "status": "active"} for name in named], query, 50)
        if path[0] == "zones" and path[2] == "dns_records":
            return self._dns(method, path[1].removeprefix("zone-"), path[3:], query, body)
        raise Refused(404, 7003, f"Could not route to /{'/'.join(path)}, perhaps your object identifier is invalid?")

    def _tunnel(self, method: str, path: list[str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if not path:
            return _paged([self._seen()] if query.get("name") in (None, "norn") else [], query, 1000)
        if path[0] != TUNNEL:
            raise Refused(404, 1002, "Tunnel not found")
        if len(path) == 1:
            return _done(self._seen())
        if method == "PUT":
            self._configure(body["config"])
        shown = {"tunnel_id": TUNNEL, "version": self.version, "config": self.config, "source": "cloudflare"}
        return _done({**shown, "account_id": ACCOUNT, "created_at": _NOW})

    def _seen(self) -> dict[str, Any]:
        return {
            "id": TUNNEL, "account_tag": ACCOUNT, "name": "norn", "status": self.status, "created_at": _NOW,
            "deleted_at": None, "connections": [], "remote_config": self.config_src == "cloudflare",
            "config_src": self.config_src, "tun_type": "cfd_tunnel",
        }  # fmt: skip

    def _configure(self, config: dict[str, Any]) -> None:
        try:
            read_ingress(config.get("ingress"))
        except TunnelFailed as error:
            raise Refused(400, 1056, f"Bad Configuration: {error.sentence}") from error
        self.config, self.version = config, self.version + 1

    def _dns(self, method: str, zone: str, path: list[str], query: dict[str, str], body: Any) -> dict[str, Any]:
        if zone not in self.zones:
            raise Refused(404, 1001, "Invalid zone identifier")
        if method == "GET" and not path:
            name = query.get("name") or query.get("name.exact")
            found = [each for each in self.records if _in(zone, each["name"]) and name in (None, each["name"])]
            return _paged(found, query, 5000)
        if method == "POST":
            self._refuse_second(body)
            self.records.append(self._record(body))
            return _done(self.records[-1])
        known = next((each for each in self.records if path and each["id"] == path[0]), None)
        if known is None:
            raise Refused(404, 81044, "Record does not exist.")
        if method == "DELETE":
            self.records.remove(known)
            return _done({"id": known["id"]})
        known.update(body)
        return _done(known)

    def _refuse_second(self, body: dict[str, Any]) -> None:
        named = [each for each in self.records if each["name"] == body["name"]]
        if any(each["type"] == body["type"] and each["content"] == body["content"] for each in named):
            raise Refused(400, 81058, "An identical record already exists.")
        if any(each["type"] in ("A", "AAAA", "CNAME") for each in named):
            raise Refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")

    def _record(self, given: dict[str, Any]) -> dict[str, Any]:
        fixed = {"id": f"{next(self._ids):032x}", "proxiable": True, "meta": {}, "settings": {}, "tags": []}
        times = {"created_on": _NOW, "modified_on": _NOW}
        return {"ttl": 1, "proxied": False, "comment": None, **given, **fixed, **times}

    # Faults

    def fault(self, method: str) -> Fault | None:
        """Returns the fault for the next request of this method, if there is one."""
        with self._lock:
            found = next((each for each in self.faults if each.method == method), None)
            if found is not None:
                self.faults.remove(found)
            elif self.chaos.random() < self.chance:
                kinds = (Fault(status=500), Fault(status=502, html=True), Fault(status=429, retry_after="0"),
                         Fault(lost=True), Fault())  # fmt: skip
                found = self.chaos.choice(kinds)
            return found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def _any(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(size)) if size else None
                fake.requests.append(f"{self.command} {urlsplit(self.path).path.removeprefix('/client/v4')}")
                fault = fake.fault(self.command)
                if fault is None or fault.lost:
                    status, said = fake.answer(self.command, self.path, self.headers.get("authorization", ""), body)
                if fault is None:
                    self._send(status, json.dumps(said).encode())
                elif not fault.status:
                    self.close_connection = True
                else:
                    message = "Please wait and consider throttling your request speed"
                    plain = {"success": False, "errors": [{"code": 971, "message": message}], "result": None}
                    text = b"<html>bad gateway</html>" if fault.html else json.dumps(plain).encode()
                    self._send(fault.status, text, fault.retry_after)

            def _send(self, status: int, body: bytes, retry_after: str = "") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class calls them so

            def log_message(self, *_: object) -> None:
                """Writes no log."""

        return Handler


def _in(zone: str, name: str) -> bool:
    return name == zone or name.endswith(f".{zone}")


def _done(result: Any) -> dict[str, Any]:
    return {"success": True, "errors": [], "messages": [], "result": result}


def _paged(items: list[Any], query: dict[str, str], most: int) -> dict[str, Any]:
    page, size = int(query.get("page", 1)), min(int(query.get("per_page", 20)), most)
    shown = items[(page - 1) * size : page * size]
    pages = -(-len(items) // size)
    info = {"page": page, "per_page": size, "count": len(shown), "total_count": len(items), "total_pages": pages}
    return {**_done(shown), "result_info": info}
