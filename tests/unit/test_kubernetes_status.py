"""The states of pods, the ends of their programs and their last lines, as an observation of the cluster reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from norn_tasks.adapters.kubernetes.looking import entries_of
from norn_tasks.adapters.kubernetes.status import status_of
from norn_tasks.domain.jobs.app_status import WorkloadStatus
from norn_tasks.domain.jobs.replica import ReplicaEnd

NOTES = {"norn.io/generation": "7", "norn.io/release": "3", "norn.io/live-generation": "7"}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {"name": "web", "generation": 1, "labels": {"norn.io/app": "web"}, "annotations": NOTES},
    "spec": {"replicas": 1, "template": {"metadata": {"annotations": NOTES}, "spec": {}}},
    "status": {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1},
}


def looked(began: str, ready: str, since: str, last: dict[str, Any] | None = None, leaving: str = "") -> WorkloadStatus:
    """Returns the status of an app with one pod. Its program began at `began`, its readiness changed to `ready` at
    `since`; `last` is the previous end of the program, `leaving` the time of the pod's deletion.
    """
    metadata = {"name": "web-0", "annotations": NOTES} | ({"deletionTimestamp": leaving} if leaving else {})
    container = {"state": {"running": {"startedAt": began}}, "lastState": last or {}, "restartCount": 1 if last else 0}
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": since}
    status = {"phase": "Running", "containerStatuses": [container], "conditions": [condition]}
    return status_of(DEPLOYMENT, [{"kind": "Pod", "metadata": metadata, "spec": {}, "status": status}])


def test_a_pod_that_was_ready_and_is_not_has_a_state_of_its_own() -> None:
    new = looked("2026-01-01T10:00:05Z", "False", "2026-01-01T10:00:00Z")
    served = looked("2026-01-01T10:00:05Z", "False", "2026-01-01T11:00:00Z")
    well = looked("2026-01-01T10:00:05Z", "True", "2026-01-01T10:00:07Z")
    leaves = looked("2026-01-01T10:00:05Z", "False", "2026-01-01T11:00:00Z", leaving="2026-01-01T11:00:00Z")
    states = [each.replicas[0].state for each in (new, served, well, leaves)]
    assert states == ["running", "not ready", "running", "leaving"]


def test_the_last_end_of_a_program_has_its_release_and_its_cause() -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T10:00:00Z"}}
    found = looked("2026-01-01T10:00:05Z", "True", "2026-01-01T10:00:07Z", ended)
    at = datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert found.ends == (ReplicaEnd("web-0", at, 137, True, release=3, generation=7),)


def test_a_message_of_the_node_is_no_line_of_the_app() -> None:
    logged = b"2026-01-01T10:00:00.000000001Z ready\n2026-01-01T10:00:01Z 2 unable to start\n"
    gone = b"unable to retrieve container logs for containerd://5c61fcf9c2c0"
    assert entries_of(logged + gone) == logged.splitlines(keepends=True)
    assert entries_of(gone) == []


def test_a_return_inside_a_line_ends_no_entry_of_a_log() -> None:
    logged = b"2026-01-01T10:00:00Z 10 %\r20 %\rfailed: no room\r\n"
    assert entries_of(logged) == [logged]
