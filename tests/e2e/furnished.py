"""Prepares a server with everything that the examples of the OpenAPI document refer to, by the operations of that
document.

It has one deployed app of each role. The id 42 belongs to a job, a deployment, a token, a webhook, a repository login
and a cron run; 43 belongs to a call, and 44 to a one-off.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import json
import tarfile
from base64 import b64encode
from collections import defaultdict
from typing import Any

import httpx

from tests import sops
from tests.e2e.stack import Stack
from tests.servers import allowed, wait_until

SERVE = "mkdir -p /tmp/www; echo hello > /tmp/www/index.html; echo up; exec httpd -f -p 8080 -h /tmp/www"
SPECS = {
    "blog": f"role: webserver\nport: 8080\nsecrets: [API_KEY]\ncommand: {SERVE!r}\n",
    "mail-agent": "role: worker\ncommand: \"trap 'exit 0' TERM; while :; do sleep 1 & wait; done\"\n"
    "services: {kv: {namespace: mails}, postgres: {database: mails}}\n",
    "daily-report": "role: cron\nschedule: '0 0 1 1 *'\ncommand: echo report\n",
    "thumbnail-gen": "role: function\ncommand: cat\n",
    "spare": "role: worker\n",
}
SEQUENCES = {"jobs_id_seq": "jobs", "deployments_id_seq": "deployments", "tokens_id_seq": "tokens"}
YAML = {"Content-Type": "text/yaml"}
REPOSITORY = "https://git.example/ada/notes.git"
"""A repository that belongs to no app: a push to it has no effect."""


def source() -> bytes:
    """Returns a source tree as it is uploaded: a Dockerfile."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        content = b"FROM busybox:stable\n"
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


class Speaker:
    """Calls the server by operation. Path parameters have the values of the document's examples unless they are
    given.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.token = (stack.home / "token").read_text().strip()
        self._http = httpx.Client(base_url=stack.url, timeout=60)
        self.document: dict[str, Any] = self._http.get("/api/openapi.json").json()
        self.answered: dict[str, set[int]] = defaultdict(set)
        self._operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in self.document["paths"].items()
            for method, operation in item.items()
        }

    @property
    def operations(self) -> set[str]:
        """The ids of all operations."""
        return set(self._operations)

    def ask(self, operation: str, /, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Sends one request as admin. Values in `more` fill the parameters of the path; the others are passed to the
        HTTP client.
        """
        method, address = self._address(operation, more)
        answer = self._http.request(method, address, headers={**self.admin, **(headers or {})}, **more)
        self.answered[operation].add(answer.status_code)
        return answer

    def begin(self, operation: str, /, **more: Any) -> str:
        """Opens a stream, and returns its first part."""
        method, address = self._address(operation, more)
        with self._http.stream(method, address, headers=self.admin, **more) as answer:
            self.answered[operation].add(answer.status_code)
            return next(answer.iter_text(), "")

    @property
    def admin(self) -> dict[str, str]:
        """The HTTP headers of an admin."""
        return {"Authorization": f"Bearer {self.token}"}

    def _address(self, operation: str, more: dict[str, Any]) -> tuple[str, str]:
        method, path, told = self._operations[operation]
        for parameter in told.get("parameters", []):
            if parameter["in"] == "path":
                name = parameter["name"]
                path = path.replace(f"{{{name}}}", str(more.pop(name, example(parameter))))
        return method.upper(), path

    def settle(self, answer: httpx.Response) -> int:
        """Waits for the accepted job to end; returns its id."""
        job = int(answer.json()["job"])
        row = self.stack.await_state(job, ("succeeded", "failed", "error", "cancelled"), allowed(120))
        assert row["state"] == "succeeded", row
        return job


def example(parameter: dict[str, Any]) -> Any:
    """Returns the example that the document gives for a parameter."""
    return parameter["schema"]["examples"][0]


def set_counters(stack: Stack, *names: str) -> None:
    """Sets the sequences of these tables so that the next row of each has number 42."""
    for name in names:
        stack.rows("SELECT setval(%s, greatest(41, (SELECT last_value FROM pg_sequences WHERE sequencename = %s)))",
                   name, name)  # fmt: skip


def furnish(speaker: Speaker) -> None:
    """Makes everything, in the order in which a user would."""
    ask = speaker.ask
    for app, text in SPECS.items():
        assert ask("apply_app", app=app, content=f"app: {app}\n{text}", headers=YAML).status_code == 201
    deployed = [app for app in SPECS if app != "spare"]
    for app in deployed:
        assert ask("put_source", app=app, content=source(), headers={"Content-Type": "application/gzip"}).is_success
    ask("set_secrets", json={"values": {"API_KEY": "correct horse battery staple"}})
    works = [ask("forge", app=app, json={}) for app in deployed]
    set_counters(speaker.stack, "jobs_id_seq", "deployments_id_seq", "tokens_id_seq")
    works += [ask("deploy", app=app, json={}) for app in deployed]
    ask("create_token", json={"name": "ci", "scopes": ["read"]})
    for work in works:
        speaker.settle(work)
    set_counters(speaker.stack, "executions")
    speaker.settle(ask("trigger", json={}))
    assert ask("invoke", content=b"hello").json()["id"] == 43
    speaker.settle(ask("run_command", json={"command": ["ls", "-l"]}))
    furnish_repository(speaker)


def furnish_repository(speaker: Speaker) -> None:
    """Makes the webhook and the login of a repository, and reports a push to it as GitHub does."""
    set_counters(speaker.stack, "webhooks_id_seq", "repository_logins_id_seq")
    speaker.ask("set_login", json={"url": REPOSITORY, "token": "glpat-of-nobody"})
    hook = speaker.ask("create_webhook", json={"url": REPOSITORY}).json()
    body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": "1" * 40}).encode()
    signature = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-GitHub-Event": "push",
        "Content-Type": "application/json",
    }
    speaker.ask("receive_push", params={"hook": hook["id"]}, content=body, headers=headers)


def look(speaker: Speaker) -> None:
    """Reads everything that can be read."""
    for operation in sorted(speaker.operations):
        if operation.startswith(("get_", "list_")) and operation not in ("list_deliveries",):
            speaker.ask(operation)
    program = ask_for_program(speaker)
    speaker.ask("send_input", job=program, json={"seq": 1, "data": b64encode(b"hello\n").decode(), "eof": True})
    assert '"exit": 0' in speaker.ask("read_output", job=program).text
    speaker.begin("follow_job")
    speaker.begin("stream_events", params={"after": "0-0"})
    speaker.begin("stream_page", params={"logs": ["blog", "mail-agent"], "tail": 5})
    for operation in ("validate", "validate_for_app", "plan_of_spec"):
        speaker.ask(operation, content="app: blog\nrole: worker\n", headers=YAML)


def ask_for_program(speaker: Speaker) -> int:
    """Requests a program in a replica that reads a line and prints it; returns its job."""
    return int(speaker.ask("run_in_replica", json={"command": "read line; echo $line"}).json()["job"])


def change(speaker: Speaker) -> None:
    """Changes everything that can be changed, and then restores the state of the apps."""
    ask, settle = speaker.ask, speaker.settle
    settle(ask("deploy", json={}))
    _stop_inside_a_step_that_runs_once(speaker, settle(ask("rollback", json={"release": 1})))
    settle(ask("restart", json={}))
    settle(ask("rotate", app="mail-agent", json={}))
    settle(ask("scale", json={"replicas": 1}))
    secrets_by_files(speaker)
    ask("cancel_job", json={})
    ask("pause", json={"reason": "holidays"})
    ask("resume", json={})
    ask("set_schedule", json={"schedule": "@daily"})
    ask("clear_schedule")
    settle(ask("replay", json={}))
    (newest,) = speaker.stack.rows("SELECT max(id) AS id FROM func_executions")
    ask("compare_invocations", other=newest["id"])
    ask("cancel_invocation")
    snapshots(speaker)
    # A public name needs an edge (a public entry by Caddy) or a tunnel, and this server has neither.
    speaker.stack.rows("INSERT INTO external_hosts (host, app) VALUES ('blog.example.com', 'blog') RETURNING host")
    ask("begin", json={"message": "We are back at 14:00."})
    ask("end")
    sign_in_and_out(speaker)
    ask("add_destination", json={"name": "ops", "url": "https://198.51.100.1/norn"})
    ask("test_destination", json={})
    ask("list_deliveries")
    ask("remove_destination")
    ask("rotate_webhook", json={})


def snapshots(speaker: Speaker) -> None:
    """Takes a snapshot of a database and restores it; takes a backup and tries to restore it (a drill)."""
    ask, settle, mine = speaker.ask, speaker.settle, {"app": "mail-agent"}
    settle(ask("take_snapshot", **mine, json={}))
    (taken,) = speaker.stack.rows("SELECT max(id) AS id FROM snapshots")
    ask("download_snapshot", **mine, snapshot=taken["id"])
    settle(ask("restore_snapshot", **mine, snapshot=taken["id"], json={}))
    settle(ask("take_snapshot", **mine, json={"backup": True}))
    settle(ask("drill_backup", **mine, json={}))


def secrets_by_files(speaker: Speaker) -> None:
    """Sets a secret by an encrypted file, exports it into one, and replaces the server's key."""
    ours = speaker.ask("get_key").json()["recipient"]
    file = sops.encrypt("API_KEY: battery staple correct horse\n", ours)
    speaker.settle(speaker.ask("import_secrets", content=file, headers=YAML))
    job = speaker.settle(speaker.ask("export_secrets", json={"recipients": [ours]}))
    speaker.ask("get_export", job=job)
    speaker.settle(speaker.ask("rotate_key", json={}))


def sign_in_and_out(speaker: Speaker) -> None:
    """Signs a browser in by a code and out again, and signs in a second one, which an admin signs out."""
    code = speaker.ask("create_sign_in_code").json()["code"]
    for sent in ({"code": code}, {"token": speaker.token}):
        made = speaker.ask("create_session", json=sent, headers={"Origin": speaker.stack.url})
        cookie = made.headers["Set-Cookie"].partition(";")[0]
        browser = {"Cookie": cookie, "X-Norn-CSRF": made.json()["csrf"], "Authorization": ""}
        if "code" in sent:
            speaker.ask("delete_session", headers={**browser, "Origin": speaker.stack.url})
        else:
            speaker.ask("revoke_session", session=made.json()["session"])


def _stop_inside_a_step_that_runs_once(speaker: Speaker, job: int) -> None:
    """Makes a job need attention, as if its worker had died in a step that may run only once, and abandons the job. The
    test itself marks the job's row.
    """
    speaker.stack.rows("UPDATE jobs SET attention = 'open' WHERE id = %s RETURNING id", job)
    speaker.ask("resolve_job", job=job, json={"resolution": "abandon"})


def undo(speaker: Speaker) -> None:
    """Removes everything that can be removed."""
    ask, settle = speaker.ask, speaker.settle
    ask("unset_secret")
    ask("revoke_token")
    ask("remove_webhook")
    ask("remove_login")
    settle(ask("teardown", app="mail-agent", json={}))
    settle(ask("delete_forge", app="mail-agent"))
    ask("delete_app", app="spare")
    ask("drain_worker", name="observe@test")


def await_quiet(stack: Stack) -> None:
    """Waits until no job of an app is queued or running."""
    busy = "SELECT id FROM jobs WHERE state IN ('queued', 'running') AND kind NOT IN ('observe', 'notify')"
    wait_until(lambda: not stack.rows(busy), allowed(120), "no job is at work")
