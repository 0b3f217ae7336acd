"""A real HTTP server on a free port that sends the responses that a test has set, and records its requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A response: a JSON object, or text and bytes in chunks as a stream that ends when the connection closes."""

    body: Json | None = None
    status: int = 200
    content_type: str = "application/json"
    pieces: Iterable[bytes] | None = None
    cut: bool = False


def problem(status: int, code: str, detail: str, hint: str = "", **more: Any) -> Answer:
    """Returns an RFC 9457 problem in the form that the API sends."""
    body = {
        "type": "about:blank",
        "title": code,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        **more,
    }
    return Answer(body, status, "application/problem+json")


def text(*lines: str) -> Answer:
    """Returns a stream of lines."""
    return Answer(content_type="text/plain", pieces=[f"{line}\n".encode() for line in lines])


def objects(*things: Json) -> Answer:
    """Returns a stream of JSON lines."""
    return Answer(content_type="application/x-ndjson", pieces=[f"{json.dumps(thing)}\n".encode() for thing in things])


Answering = Answer | Callable[[Asked], Answer]


@dataclass
class Norn:
    """The server. `answers` maps a method and a path to the response; `asked` has every request until now."""

    answers: dict[tuple[str, str], Answering] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.start()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, answer: Answering | Json) -> None:
        """Sets the response to a method and path; a plain dict is sent with status 200."""
        self.answers[method, path] = Answer(answer) if isinstance(answer, dict) else answer

    def last(self, method: str, path: str) -> Asked:
        """Returns the newest request with this method and path."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)][-1]

    def start(self) -> None:
        """Starts to listen, on the same port as before if there was one."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._http.daemon_threads = True
        self.port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stops listening; open streams stay open until they end."""
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        norn = self

        class Handler(BaseHTTPRequestHandler):
            def handle_request(self) -> None:
                asked = _asked(self)
                norn.asked.append(asked)
                answering = norn.answers.get((asked.method, asked.path))
                if answering is None:
                    answering = problem(404, "not_found", f"nothing at {asked.method} {asked.path}")
                _write(self, answering(asked) if callable(answering) else answering)

            do_GET = do_POST = do_PUT = do_DELETE = handle_request  # noqa: N815 - the names are http.server's

            def log_message(self, *_: Any) -> None:
                """Writes no log."""

        return Handler


def _asked(handler: BaseHTTPRequestHandler) -> Asked:
    parts = urlsplit(handler.path)
    body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    headers = {name.lower(): value for name, value in handler.headers.items()}
    return Asked(handler.command, parts.path, dict(parse_qsl(parts.query)), headers, body)


def _write(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.cut:
        handler.close_connection = True
        handler.connection.close()
        return
    content = b"" if answer.body is None else json.dumps(answer.body).encode()
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content_type)
    if answer.pieces is None:
        handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    try:
        for piece in answer.pieces or ():
            handler.wfile.write(piece)
            handler.wfile.flush()
    except OSError:
        pass  # the client has closed the connection


class JobScript:
    """A job that passes through the given states: each event of its stream moves it to the next one."""

    def __init__(self, norn: Norn, *states: Json) -> None:
        self._states = list(states)
        self._at = 0
        self.streams: list[str] = []
        job = states[0]["id"]
        norn.on("GET", f"/api/jobs/{job}", lambda _: Answer(self._states[self._at]))
        norn.on("GET", f"/api/jobs/{job}/events", self._stream)
        norn.on("GET", f"/api/jobs/{job}/logs", text())

    def move(self) -> bool:
        """Moves to the next state; returns False if that is the last one."""
        self._at = min(self._at + 1, len(self._states) - 1)
        return self._at < len(self._states) - 1

    def _stream(self, asked: Asked) -> Answer:
        self.streams.append(asked.headers.get("last-event-id", ""))
        return Answer(content_type="text/event-stream", pieces=self._events())

    def _events(self) -> Iterator[bytes]:
        going = True
        while going:
            going = self.move()
            yield sse(f"7-{self._at}", "step.ended", {"n": self._at})


def sse(event_id: str, kind: str, payload: Any) -> bytes:
    """Returns one server-sent event as bytes."""
    return f"id: {event_id}\nevent: {kind}\ndata: {json.dumps(payload)}\n\n".encode()
