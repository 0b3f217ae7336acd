"""The lines that wait to be sent to a page: a burst is kept completely, and lines that do not fit are counted."""

from __future__ import annotations

from norn_api.streaming.log_feeds import MOST, MOST_CHARACTERS, LogInbox
from norn_tasks.store.broker.live import LiveLine


def lines(count: int, length: int = 1) -> list[LiveLine]:
    """Returns lines of this length."""
    return [LiveLine("", "web-1", "x" * length) for _ in range(count)]


def test_a_burst_of_a_hundred_thousand_lines_waits_whole() -> None:
    inbox = LogInbox(lambda: None)
    inbox.put("web", lines(100_000))
    assert len(inbox.take()) == 100_000
    assert inbox.take() == []


def test_the_oldest_of_too_many_lines_are_dropped_and_counted() -> None:
    inbox = LogInbox(lambda: None)
    inbox.put("web", lines(MOST + 5))
    found = inbox.take()
    assert (len(found), found[0][1].line) == (MOST + 1, "… 5 lines dropped: they came faster than they were read …")


def test_long_lines_are_dropped_by_their_length() -> None:
    inbox = LogInbox(lambda: None)
    inbox.put("web", lines(17, MOST_CHARACTERS // 16))
    found = inbox.take()
    assert (len(found), found[0][1].line) == (17, "… 1 lines dropped: they came faster than they were read …")
