"""The clients: the load generator wrk, with a script that defines the requests and prints the results as JSON."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
POST_BYTES = 1000

_SCRIPT = """
wrk.method = "{method}"
wrk.body = {body}
wrk.headers["User-Agent"] = "bench"
wrk.headers["Accept"] = "*/*"
{more}
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{{"requests": %d, "seconds": %.6f, "p50": %d, "p99": %d, "failed": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Kind:
    """A kind of request. With `kept`, several requests use the same connection."""

    method: str
    kept: bool

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.method}, {'keep-alive' if self.kept else 'one connection per request'}"

    def script(self) -> str:
        """Returns wrk's script for this kind of request."""
        body = f'string.rep("x", {POST_BYTES})' if self.method == "POST" else "nil"
        return _SCRIPT.format(
            method=self.method, body=body, more="" if self.kept else 'wrk.headers["Connection"] = "close"'
        )


KINDS = tuple(Kind(method, kept) for kept in (True, False) for method in ("GET", "POST"))


@dataclass(frozen=True)
class Load:
    """The results of the clients in one turn; latencies are in microseconds."""

    requests: int
    seconds: float
    p50: int
    p99: int
    failed: int


def load(kind: Kind, port: int, seconds: int, home: Path) -> Load:
    """Sends requests from 32 connections on one core for some seconds; each connection waits for a response before its
    next request.
    """
    script = home / f"{kind.method}-{'kept' if kind.kept else 'once'}.lua"
    script.write_text(kind.script())
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", str(script), f"http://127.0.0.1:{port}/some/path"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=seconds + 30)
    return Load(**json.loads(ended.stdout.splitlines()[-1]))
