"""A receiver of webhooks on a loopback port: remembers what comes, and answers what a test tells it to."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from norn_tasks.domain.alerting.notification import sign


@dataclass(frozen=True)
class Came:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    def signed_with(self, secret: str) -> bool:
        """Returns True if the signature is that of the secret, over the timestamp that it carries and the body."""
        expected = sign(secret, int(self.headers["x-norn-timestamp"]), self.body)
        return self.headers["x-norn-signature"] == expected


@dataclass
class Receiver:
    """Listens on loopback; `statuses` are answered one after the other, the last one for ever."""

    statuses: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    said: bytes = b""
    certificate: Path | None = None
    came: list[Came] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Returns where it listens."""
        return f"{'https' if self.certificate else 'http'}://{host}:{self._http.server_port}{path}"

    def stop(self) -> None:
        """Stops to listen."""
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told = {name.lower(): value for name, value in self.headers.items()}
                receiver.came.append(Came(self.path, told, body))
                left = receiver.statuses
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.said)))
                self.end_headers()
                self.wfile.write(receiver.said)

            def log_message(self, *_: Any) -> None:
                """Keeps quiet."""

        return Handler
