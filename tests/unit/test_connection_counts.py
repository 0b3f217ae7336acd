"""The router's counts of connections on replicas out of the routes: added up, and written when they change."""

from __future__ import annotations

from collections.abc import Mapping

from norn_tasks.router.connection_counts import ConnectionCounts


def counting() -> tuple[ConnectionCounts, list[dict[str, int]]]:
    written: list[dict[str, int]] = []

    def write(counts: Mapping[str, int]) -> None:
        written.append(dict(counts))

    return ConnectionCounts(write), written


def test_only_changes_are_written() -> None:
    counts, written = counting()
    counts.report({"c1": 2, "c2": 0})
    counts.report({"c1": 2, "c2": 0})
    counts.report({"c1": 1, "c2": 0})
    assert written == [{"c1": 2, "c2": 0}, {"c1": 1}]


def test_all_are_written_again_because_a_write_may_get_lost() -> None:
    counts, written = counting()
    counts.report({"c1": 2})
    counts.report({"c1": 2}, again=True)
    assert written == [{"c1": 2}] * 2


def test_connections_of_the_predecessor_count_until_it_is_gone() -> None:
    counts, written = counting()
    counts.there("c1", 3)
    counts.report({"c1": 1})
    counts.predecessor_gone()
    counts.report({"c1": 1})
    assert written == [{"c1": 4}, {"c1": 1}]
