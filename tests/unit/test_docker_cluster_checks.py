"""The health of live replicas in an observation, and its effect on status and plan."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from norn_tasks.adapters.docker_cluster.looks.checks import checked, sightings
from norn_tasks.adapters.docker_cluster.looks.status import status
from norn_tasks.adapters.docker_cluster.plan import DesiredReplicas, Retire, next_move
from norn_tasks.adapters.docker_cluster.world import ReplicaContainer, World
from norn_tasks.domain.infraspec import Health
from norn_tasks.domain.jobs.replica import Replica
from tests.servers import free_port

HEALTH = Health(path="/up", timeout=1, retries=2)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of an app that answers /up with 200, and all other paths with 500."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                self.send_response(200 if self.path == "/up" else 500)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def world(port: int, **row: object) -> World:
    """Returns a world (an app on a cluster) with one live replica at that port."""
    known = Replica("c1", "blog", 1, 1, "live", f"127.0.0.1:{port}", health=HEALTH)
    return World((ReplicaContainer("c1", "blog", 1, 1, 1, "running", "127.0.0.1", row=replace(known, **row)),))  # type: ignore[arg-type]


def test_a_replica_that_is_well_begins_to_count_anew(port: int) -> None:
    (found,) = checked([world(port, failures=5, fault="x", silent=True)])
    (seen,) = sightings(found)
    assert (seen.checked, seen.failures, seen.fault, seen.unhealthy) == (True, 0, "", False)
    assert status("blog", found).ready == 1


def test_a_replica_that_answers_badly_is_not_ready_and_stays(port: int) -> None:
    (found,) = checked([world(port, failures=1, health=HEALTH.model_copy(update={"path": "/down"}))])
    told = status("blog", found)
    assert (told.ready, told.present, told.replicas[0].healthy) == (0, (1,), False)
    assert told.replicas[0].message == "GET /down answered 500, 2 times in a row"
    assert next_move(found, DesiredReplicas(1, 1)) is None


def test_a_replica_that_gives_no_answer_is_missing_and_taken_away() -> None:
    (found,) = checked([world(free_port(), failures=1)])
    assert (status("blog", found).ready, status("blog", found).present) == (0, ())
    assert next_move(found, DesiredReplicas(1, 1)) == Retire(found.replicas)


def test_one_failed_check_is_none_yet() -> None:
    (found,) = checked([world(free_port())])
    assert (status("blog", found).ready, sightings(found)[0].failures) == (1, 1)


def test_a_check_waits_for_its_interval(port: int) -> None:
    (found,) = checked([world(port, unchecked=3.0, failures=1)])
    assert (sightings(found)[0].checked, sightings(found)[0].failures) == (False, 1)


def test_a_worker_is_not_asked() -> None:
    (found,) = checked([world(1, health=None)])
    assert (sightings(found)[0].checked, status("blog", found).ready) == (False, 1)
