"""Four kinds of trouble of live apps: `norn status`, `norn why`, alerts, ntfy and mail report it within 60 s, and later
its end.

Prints a table of the seconds. The 60 s begin with the fact itself: the third end of the app's program, its first kill
for lack of memory, or the stop of its database or of its process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.e2e.apps import add_web
from tests.e2e.stack import Stack
from tests.receiver import Receiver
from tests.servers import free_port, wait_until

MAIL_PORT = free_port()
ENVIRONMENT = {
    "NORN_OUTGOING_PRIVATE": "true", "NORN_SMTP_URL": f"smtp://127.0.0.1:{MAIL_PORT}", "NORN_SERVER_NAME": "soak",
    "NORN_SMTP_FROM": "norn@example.org",
}  # fmt: skip
WITHIN = 60
SERVE = "httpd -f -p 8080 -h /www"
HEALTH = "healthcheck: /index.html\n"
ASKS = """const http = require('http')
http.createServer((_, answer) => {
  const away = () => { answer.statusCode = 503; answer.end('the database is away') }
  http.get('http://database:8080/', { timeout: 1000 }, () => answer.end('ok')).on('timeout', away).on('error', away)
}).listen(8080)
"""
"""A webserver that is healthy only while its database responds."""


@dataclass(frozen=True)
class Trouble:
    """A kind of trouble, and the alert that reports it."""

    command: str
    kind: str
    more: str = HEALTH
    state: str = ""


TROUBLES = {
    "dies": Trouble(f"{SERVE} & sleep 5; exit 3", "crash-looping"),
    "greedy": Trouble(f"{SERVE} & sleep 55; x=$(head -c 100000000 /dev/zero | tr '\\\\0' a)", "out-of-memory",
                      f"{HEALTH}resources: {{memory: 16m}}\n", "crash-looping"),
    "hangs": Trouble(f"{SERVE} & p=$!; sleep 20; kill -STOP $p; wait", "unhealthy"),
    "asks": Trouble("node /s.js", "unhealthy"),
}  # fmt: skip


MENDED = {("hangs", "why"), ("hangs", "status")}
"""Reports that may be missing: Norn replaces a replica that hangs, so the app may be healthy again before the command
runs.
"""


@dataclass
class Mailbox:
    """The received mails, each as its title, its text and the time."""

    came: list[tuple[str, str, float]] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=default)
        self.came.append((str(mail["Subject"]), mail.get_content(), time.time()))
        return "250 queued"


@pytest.fixture
def phone() -> Iterator[Receiver]:
    """A server that receives notifications as ntfy does."""
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server on this machine."""
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=MAIL_PORT)
    server.start()
    yield mailbox
    server.stop()


def first(stack: Stack, app: str, *, after: float, n: int = 1) -> float:
    """Waits for the n-th end of the app's program after the time `after`; returns its time in seconds since 1970."""
    query = "SELECT extract(epoch FROM at) AS at FROM replica_ends WHERE app = %s AND at > to_timestamp(%s) ORDER BY at"
    wait_until(lambda: len(stack.rows(query, app, after)) >= n, 120, f"{app} has ended {n} times")
    return float(stack.rows(query, app, after)[n - 1]["at"])


class Seen:
    """For each report, the time when it was first seen."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, str], float] = {}

    def note(self, app: str, what: str) -> None:
        """Records the time of a report if it is the first one."""
        self.at.setdefault((app, what), time.time())


def watch(stack: Stack, phone: Receiver, mailbox: Mailbox, seen: Seen) -> None:
    """Reads the status, the alerts, `norn why` and the received messages once, and notes each new report."""
    states = {each["name"]: each["state"] for each in stack.json("status")["items"]}
    alerts = {(each["app"], each["kind"]) for each in stack.json("alerts", "--all")["items"]}
    texts = {"phone": [f"{each.headers['title']}\n{each.body.decode()}" for each in phone.came],
             "mail": [f"{title}\n{body}" for title, body, _ in mailbox.came]}  # fmt: skip
    for app, trouble in TROUBLES.items():
        if states.get(app) == (trouble.state or trouble.kind):
            seen.note(app, "status")
        if (app, trouble.kind) in alerts:
            seen.note(app, "alert")
            if any(each["kind"] == trouble.kind for each in stack.json("why", app)["reasons"]):
                seen.note(app, "why")
        for where, came in texts.items():
            if any(f"{app}: {trouble.kind} (open, critical)" in text for text in came):
                seen.note(app, where)
            if any(f"{app}: {trouble.kind} (resolved)" in text for text in came):
                seen.note(app, f"{where}: over")


def until(look: Callable[[], None], seen: Seen, wanted: set[tuple[str, str]], seconds: float) -> None:
    """Calls `look` until every wanted report was seen, or the seconds are over."""
    end = time.time() + seconds
    while not wanted <= seen.at.keys() and time.time() < end:
        look()


@pytest.mark.timeout(900)
def test_each_trouble_and_its_end_is_said_within_a_minute(stack: Stack, phone: Receiver, mailbox: Mailbox) -> None:
    stack.norn("notify", "add", "phone", phone.url(), "--format", "ntfy", "--severity", "critical")
    stack.norn("notify", "add", "mail", "mailto:ops@example.org")
    add_web(stack, "database", SERVE, HEALTH)
    stack.norn("deploy", str(stack.apps / "database"))
    began: dict[str, float] = {}
    for app, trouble in TROUBLES.items():
        directory = add_web(stack, app, trouble.command, trouble.more)
        if app == "asks":
            (directory / "Dockerfile").write_text("FROM node:20-alpine\nCOPY s.js /\n")
            (directory / "s.js").write_text(ASKS)
        stack.norn("deploy", str(directory))
        began[app] = time.time()
    stack.norn("scale", "database", "0")
    began |= {"asks": time.time(), "hangs": began["hangs"] + 20}
    seen = Seen()

    def look() -> None:
        watch(stack, phone, mailbox, seen)

    signs = ("alert", "why", "phone", "mail", "status")
    until(look, seen, {(app, sign) for app in TROUBLES for sign in signs if app != "hangs"}, 150)
    began |= {"dies": first(stack, "dies", after=0, n=3), "greedy": first(stack, "greedy", after=0)}
    fixed: dict[str, float] = {}
    for app in ("dies", "greedy", "hangs"):
        add_web(stack, app, SERVE, HEALTH)
        stack.norn("deploy", str(stack.apps / app))
        fixed[app] = time.time()
    stack.norn("scale", "database", "1")
    fixed["asks"] = time.time()
    ends = ("phone: over", "mail: over")
    until(look, seen, {(app, sign) for app in TROUBLES for sign in ends}, 150)
    took = {
        app: {
            sign: round(seen.at[app, sign] - since[app]) if (app, sign) in seen.at else None
            for which, since in ((signs, began), (ends, fixed))
            for sign in which
        }
        for app in TROUBLES
    }
    print(json.dumps(took, indent=1))
    print(f"{len(phone.came)} messages to the telephone, {len(mailbox.came)} mails; the first: {mailbox.came[0][:2]}")
    late = {
        (app, sign)
        for app, each in took.items()
        for sign, seconds in each.items()
        if seconds is None or seconds > WITHIN
    }
    assert late == set()
