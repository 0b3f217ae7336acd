"""The watch of a cluster continues after a response that no API server should send."""

from __future__ import annotations

import threading
from typing import cast

from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.adapters.kubernetes.watching.changes import ClusterChanges
from norn_tasks.domain.errors import ClusterDown


class OddServer:
    """An API server whose first list has no version; after the second request it does not respond."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.again = threading.Event()

    def version_of_all(self, kind: str, selector: str) -> str:
        """Fails, as parsing such a list does."""
        self.asked[kind] = self.asked.get(kind, 0) + 1
        if self.asked[kind] == 1:
            raise KeyError("metadata")
        self.again.set()
        raise ClusterDown("the API server does not answer")


def test_a_list_without_its_version_does_not_end_the_watch() -> None:
    server, reported = OddServer(), threading.Event()
    changes = ClusterChanges(cast(Api, server), "i1", reported.set)
    try:
        assert server.again.wait(60) and reported.is_set()
    finally:
        changes.close()
