"""The request of each kind of job is written as JSON under stable keys, and read back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from norn_tasks.domain.errors import JobUnreadable
from norn_tasks.domain.jobs import requests as r
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.schedule import RunTrigger

TWO = r.Override(2, spec=1)
STORED: list[tuple[r.JobRequest, dict[str, Any]]] = [
    (r.ForgeJobRequest(TWO, force=True), {"force": True, "override": {"replicas": 2, "spec": 1}}),
    (r.DeployJobRequest(r.GitSource("https://example.org", "main"), None),
     {"source": "git", "url": "https://example.org", "ref": "main", "override": None}),
    (r.DeployJobRequest(r.UploadSource("a1"), None, may_open=True),
     {"source": "upload", "revision": "a1", "ref": None, "override": None, "may_open": True}),
    (r.DeployJobRequest(r.UploadSource("a1"), TWO),
     {"source": "upload", "revision": "a1", "ref": None, "override": {"replicas": 2, "spec": 1}}),
    (r.DeployJobRequest(r.DirectorySource("/srv/blog"), None),
     {"source": "directory", "origin": "/srv/blog", "ref": None, "override": None}),
    (r.RollbackJobRequest("i", None), {"image_id": "i", "override": None}),
    (r.RollbackJobRequest("i", None, 7, return_to=3),
     {"image_id": "i", "override": None, "generation": 7, "return_to": 3}),
    (r.RestartJobRequest("i", None), {"image_id": "i", "override": None}),
    (r.ScaleJobRequest("i", None, 7), {"image_id": "i", "override": None, "generation": 7}),
    (r.RepairJobRequest("i", None, 7, 1), {"image_id": "i", "override": None, "generation": 7, "missing": 1}),
    (r.TeardownJobRequest(purge=True), {"purge": True}),
    (r.InvokeJobRequest(), {}),
    (r.InvokeJobRequest(True), {"stream": True}),
    (r.CronRunJobRequest(RunTrigger.CATCHUP), {"trigger": "catchup"}),
    (r.RunJobRequest(("ls", "-l"), 60), {"command": ["ls", "-l"], "timeout": 60}),
    (r.RunJobRequest(("sh",), 60, r.ClientTerminal(True, "xterm", (30, 100))),
     {"command": ["sh"], "timeout": 60, "client": {"tty": True, "term": "xterm", "size": [30, 100]}}),
    (r.RestartJobRequest("i", None, now=True), {"image_id": "i", "override": None, "now": True}),
    (r.ObserveJobRequest(), {}),
    (r.ObserveJobRequest(drained=True), {"drained": True}),
    (r.ObserveJobRequest(databases=True), {"databases": True}),
    (r.SnapshotJobRequest(), {}),
    (r.SnapshotJobRequest(backup=True), {"backup": True}),
    (r.RestoreJobRequest(12), {"snapshot": 12}),
    (r.DrillJobRequest(), {}),
    (r.ReadLogsJobRequest(10, follow=True), {"tail": 10, "follow": True}),
    (r.NotifyJobRequest(5, 2), {"delivery": 5, "attempt": 2}),
    (r.CallDeadManJobRequest(), {}),
    (r.ExecJobRequest(("sh",), None, True, "xterm", (30, 100)),
     {"command": ["sh"], "replica": None, "tty": True, "term": "xterm", "size": [30, 100]}),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "stored"), STORED)
def test_a_request_is_kept_under_the_keys_of_its_kind(request_: r.JobRequest, stored: dict[str, Any]) -> None:
    assert request_.to_json() == stored


@pytest.mark.parametrize(("request_", "stored"), STORED)
def test_a_request_comes_back_from_what_was_kept(request_: r.JobRequest, stored: dict[str, Any]) -> None:
    assert r.read(request_.kind, stored) == request_


def test_each_kind_of_job_has_a_request() -> None:
    assert set(r.KINDS) == set(JobKind)


@pytest.mark.parametrize("kind", [JobKind.FORGE, JobKind.TEARDOWN, JobKind.OBSERVE, JobKind.CRON_RUN])
def test_a_row_without_arguments_is_read(kind: JobKind) -> None:
    assert r.read(kind, {}).kind is kind


def test_a_key_of_a_later_version_is_left_out() -> None:
    assert r.read("teardown", {"purge": True, "colour": "red"}) == r.TeardownJobRequest(purge=True)


@pytest.mark.parametrize("args", [{}, {"source": "ftp"}, {"source": "git", "url": "https://example.org"}])
def test_a_request_of_another_shape_is_unreadable(args: dict[str, Any]) -> None:
    with pytest.raises(JobUnreadable, match="source"):
        r.read("deploy", args)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (r.GENERATION, r.ScaleJobRequest),
        (r.IMAGE_ID, r.RestartJobRequest),
        (r.OVERRIDE, r.DeployJobRequest),
        (r.OVERRIDE_REPLICAS, r.Override),
        (r.OVERRIDE_SPEC, r.Override),
        (r.REVISION, r.UploadSource),
        (r.TRIGGER, r.CronRunJobRequest),
    ],
)
def test_each_key_that_sql_reads_is_a_field(key: str, kind: Any) -> None:
    assert key in [field.name for field in fields(kind)]
