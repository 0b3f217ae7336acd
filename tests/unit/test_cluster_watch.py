"""A watch of a cluster requests an observation after a change, only one for many changes, and survives a database that
does not respond.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from norn_tasks.domain.errors import DatabaseDown, Unavailable
from norn_tasks.worker.cluster_watch import ClusterWatch
from tests.servers import wait_until


def test_many_changes_are_one_look_and_a_refused_look_is_followed_by_others() -> None:
    looks: list[int] = []
    asked = threading.Event()

    def request() -> None:
        looks.append(len(looks))
        asked.wait(30)
        if len(looks) == 1:
            raise Unavailable("the broker is away")

    watch = ClusterWatch(lambda _: None, request, apart=0.0)
    watch.start()
    watch.changed()
    wait_until(lambda: len(looks) == 1, 10, "the first look")
    for _ in range(50):
        watch.changed()
    asked.set()
    wait_until(lambda: len(looks) == 2, 10, "the second look")
    watch.changed()
    wait_until(lambda: len(looks) == 3, 10, "the third look")


def test_the_watch_begins_when_the_database_is_back() -> None:
    tries: list[Callable[[], None]] = []
    looks: list[str] = []

    def begin(changed: Callable[[], None]) -> None:
        tries.append(changed)
        if len(tries) == 1:
            raise DatabaseDown("PostgreSQL does not answer")
        changed()

    ClusterWatch(begin, lambda: looks.append("look"), apart=0.0, again=0.0).start()
    wait_until(lambda: looks == ["look"], 30, "the look after the first change")
    assert len(tries) == 2
