"""A receiver of webhooks on a loopback port: records the requests, and sends the responses that a test has set."""

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
    """A received request."""

    path: str
    headers: dict[str, str]
    body: bytes

    def signed_with(self, secret: str) -> bool:
        """Returns True if the signature was made with the secret, over the request's timestamp and body."""
        expected = sign(secret, int(self.headers["x-norn-timestamp"]), self.body)
        return self.headers["x-norn-signature"] == expected


@dataclass
class Receiver:
    """Listens on loopback. `statuses` are the statuses of its responses in this order; the last one is repeated."""

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
        """Returns the URL of the receiver."""
        return f"{'https' if self.certificate else 'http'}://{host}:{self._http.server_port}{path}"

    def stop(self) -> None:
        """Stops listening."""
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
                """Writes no log."""

        return Handler
