"""The messages about a failed rollout and about the observed state of an app."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from norn_tasks.adapters.docker_cluster import diagnosis
from norn_tasks.adapters.docker_cluster.looks.status import status
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World, joined
from norn_tasks.domain.causes import Evidence
from norn_tasks.domain.jobs.replica import Replica
from norn_tasks.ports import Workload

WEB = Workload("blog", 1, 1, "image", 1, port=8080, healthcheck="/health", memory=64 * 2**20)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DEAD = ReplicaContainer(
    "c1", "blog", 1, 1, 1, "exited", exit_code=1, started_at=NOW, finished_at=NOW + timedelta(seconds=0.4)
)
RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (DEAD, "the new container exited 1 after 0.4 s: Error: boom"),
        (replace(DEAD, finished_at=NOW), "the new container exited 1 at once: Error: boom"),
        (replace(DEAD, finished_at=NOW + timedelta(seconds=75)), "the new container exited 1 after 75 s: Error: boom"),
        (replace(DEAD, started_at=None), "the new container exited 1: Error: boom"),
        (replace(DEAD, exit_code=137, oom_killed=True), "it used more than its 64 MiB and was killed"),
    ],
)
def test_an_end_is_told_in_one_sentence(seen: ReplicaContainer, sentence: str) -> None:
    error = diagnosis.ended(WEB, seen, Evidence(lines=("Error: boom",)))
    assert (error.sentence, error.facts["last_lines"]) == (sentence, ["Error: boom"])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            f'{RUNC}exec: "nosuch": executable file not found in $PATH: unknown',
            'the image has no program "nosuch" (exit 127)',
        ),
        (
            f'{RUNC}exec: "./run.sh": stat ./run.sh: no such file or directory: unknown',
            'the image has no program "./run.sh" (exit 127)',
        ),
        (
            f'{RUNC}exec: "/etc/passwd": permission denied: unknown',
            '"/etc/passwd" in the image cannot be executed (exit 126)',
        ),
        ("no space\nleft on device", "the engine could not start the new container: no space left on device"),
    ],
)
def test_a_start_that_fails_is_told_in_one_sentence(said: str, sentence: str) -> None:
    assert diagnosis.not_started(said).sentence == sentence


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (DEAD, "the new container exited 1 after 0.4 s and wrote nothing"),
        (
            replace(DEAD, exit_code=139),
            "the new container exited 139 (SIGSEGV: it crashed) after 0.4 s and wrote nothing",
        ),
        (replace(DEAD, exit_code=0), "the new container exited 0 after 0.4 s"),
    ],
)
def test_an_end_without_a_word_says_so(seen: ReplicaContainer, sentence: str) -> None:
    assert diagnosis.ended(WEB, seen, Evidence()).sentence == sentence


def test_without_a_limit_the_machines_memory_is_named() -> None:
    error = diagnosis.ended(replace(WEB, memory=None), replace(DEAD, oom_killed=True), Evidence())
    assert error.sentence == "it used more than the machine has and was killed"


@pytest.mark.parametrize(("size", "word"), [(2**30, "1 GiB"), (1536 * 2**20, "1536 MiB"), (1000, "1000 bytes")])
def test_a_size_is_told_in_a_unit_that_keeps_it_whole(size: int, word: str) -> None:
    error = diagnosis.ended(replace(WEB, memory=size), replace(DEAD, oom_killed=True), Evidence())
    assert f"its {word} " in error.sentence


@pytest.mark.parametrize("code", [0, 1, 126, 127, 137, 139, 143])
def test_every_end_has_a_way_out(code: int) -> None:
    assert diagnosis.ended(WEB, replace(DEAD, exit_code=code), Evidence()).hint


# Observations


def row(container: str, state: str, generation: int = 1) -> Replica:
    return Replica(container, "blog", generation, generation, state, "10.0.0.1:8080")


def seen(container: str, state: str = "running", generation: int = 1) -> ReplicaContainer:
    return ReplicaContainer(
        container, "blog", 1, generation, generation, state, "10.0.0.1" if state == "running" else ""
    )


@pytest.mark.parametrize(
    ("containers", "rows", "expected"),
    [
        ([], [], (0, 0)),
        ([seen("a")], [row("a", "live")], (1, 1)),
        ([seen("a"), seen("b", "restarting")], [row("a", "live"), row("b", "live")], (2, 1)),
        ([seen("a"), seen("b")], [row("a", "live"), row("b", "starting")], (2, 1)),
        ([seen("a"), seen("b")], [row("a", "live"), row("b", "leaving")], (1, 1)),
        ([seen("a"), seen("b", generation=2)], [row("a", "live"), row("b", "starting", 2)], (1, 1)),
        ([seen("a"), seen("b", generation=2)], [row("a", "live"), row("b", "live", 2)], (1, 1)),
        (
            [seen("a"), seen("b"), seen("c", generation=2)],
            [row("a", "live"), row("b", "live"), row("c", "live", 2)],
            (2, 2),
        ),
        ([seen("a")], [row("a", "starting")], (1, 0)),
        ([], [row("a", "live"), row("b", "live")], (2, 0)),
        ([seen("a")], [], (0, 0)),
    ],
)
def test_wanted_and_ready_are_read_from_rows_and_engine(
    containers: list[ReplicaContainer], rows: list[Replica], expected: tuple[int, int]
) -> None:
    told = status("blog", joined(containers, rows))
    assert (told.wanted, told.ready) == expected


def test_what_is_there_is_told_by_its_rollout() -> None:
    """The app is half way between two rollouts: the engine restarts one container, another has ended, and a third one
    starts.
    """
    containers = [seen("a"), seen("b"), seen("c", generation=2), seen("d", generation=2), seen("e", generation=2)]
    containers[1] = replace(containers[1], state="restarting", ip="")
    containers[3] = replace(containers[3], state="exited", ip="")
    rows = [row("a", "live"), row("b", "live"), row("c", "live", 2), row("d", "live", 2), row("e", "starting", 2)]
    assert status("blog", joined(containers, rows)).present == (1, 1, 2)


@pytest.mark.parametrize(
    ("changes", "healthy", "message"),
    [
        ({}, True, ""),
        ({"state": "restarting", "exit_code": 3, "ip": ""}, False, "exited 3"),
        (
            {"state": "exited", "exit_code": 137, "oom_killed": True},
            False,
            "it used more than its memory and was killed",
        ),
        (
            {"ip": "10.0.0.9"},
            False,
            "it is at 10.0.0.9:8080, and requests go to another address until the next rollout",
        ),
        ({"row": row("a", "leaving")}, None, "leaving"),
        ({"row": row("a", "starting")}, None, ""),
        ({"row": None}, None, ""),
    ],
)
def test_a_replica_says_how_it_is(changes: dict[str, object], healthy: bool | None, message: str) -> None:
    live = replace(seen("a"), row=row("a", "live"))
    [told] = status("blog", World((replace(live, **changes),))).replicas  # type: ignore[arg-type]
    assert (told.healthy, told.message) == (healthy, message)
