"""Clients of the API: each is a thread with one connection, which sends its next request after the last answer."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.benchmarks.tables import percentile
from tests.e2e.stack import Stack

Request = tuple[str, str, bytes | None]
"""Method, path and body."""


@dataclass(frozen=True)
class Answers:
    """The statuses and seconds of all requests of a load, and the seconds from its beginning to its end."""

    statuses: Sequence[int]
    took: Sequence[float]
    seconds: float

    def count(self, status: int) -> int:
        """Returns how many requests got this status."""
        return sum(each == status for each in self.statuses)

    def ms(self, p: int) -> float:
        """Returns the milliseconds of a request that p percent of the requests do not exceed."""
        return 1000 * (percentile(self.took, p) or 0.0)


def answers(stack: Stack, clients: int, requests: int, choose: Callable[[int], Request]) -> Answers:
    """Sends requests from clients at once; `choose` returns the n-th request of a client."""
    token = (stack.home / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}

    def client(_: int) -> list[tuple[int, float]]:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
        found = []
        for n in range(requests // clients):
            method, path, body = choose(n)
            start = time.perf_counter()
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            response.read()
            found.append((response.status, time.perf_counter() - start))
        connection.close()
        return found

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        each = [one for found in threads.map(client, range(clients)) for one in found]
    return Answers([status for status, _ in each], [took for _, took in each], time.perf_counter() - began)
