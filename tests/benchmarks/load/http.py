"""Clients of the API: each is a thread with one connection, which sends its next request after the last answer."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.benchmarks.tables import percentile
from tests.e2e.stack import Stack

Request = tuple[str, str, bytes | None]
"""Method, path and body."""


@dataclass(frozen=True)
class Answers:
    """The responses to a load: status, duration in seconds and body of each one, and `seconds`, the duration of the
    whole load.
    """

    statuses: Sequence[int]
    took: Sequence[float]
    bodies: Sequence[bytes]
    seconds: float

    def count(self, status: int) -> int:
        """Returns how many requests got this status."""
        return sum(each == status for each in self.statuses)

    def accepted(self) -> set[int]:
        """Returns the ids of the calls that were accepted."""
        found = zip(self.statuses, self.bodies, strict=True)
        return {json.loads(body)["execution"] for status, body in found if status == 202}

    def others(self) -> dict[int, int]:
        """Returns how many requests got each status that is neither 200 nor 202."""
        return dict(Counter(status for status in self.statuses if status not in (200, 202)))

    def ms(self, p: int) -> float:
        """Returns the milliseconds within which p percent of the requests had their response."""
        return 1000 * (percentile(self.took, p) or 0.0)


def answers(stack: Stack, clients: int, requests: int, choose: Callable[[int], Request]) -> Answers:
    """Sends `requests` requests from `clients` clients that work at the same time; `choose(n)` is the n-th request of
    each client. Returns the responses.
    """
    token = (stack.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}

    def client(_: int) -> list[tuple[int, float, bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
        found = []
        for n in range(requests // clients):
            method, path, body = choose(n)
            start = time.perf_counter()
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            read = response.read()
            found.append((response.status, time.perf_counter() - start, read))
        connection.close()
        return found

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        each = [one for found in threads.map(client, range(clients)) for one in found]
    seconds = time.perf_counter() - began
    return Answers([one[0] for one in each], [one[1] for one in each], [one[2] for one in each], seconds)
