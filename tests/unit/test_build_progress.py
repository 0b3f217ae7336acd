"""What is told of a build's output: the lines of the app's own file, by their own numbers."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.build_progress import BuildProgress


def told(*lines: str, head: int = 2) -> list[str]:
    said: list[str] = []
    progress = BuildProgress(said.append, head)
    for line in lines:
        progress.err(line)
    return [line.removesuffix("\n") for line in said]


def test_an_excerpt_is_of_the_apps_own_file() -> None:
    excerpt = [
        "Dockerfile:4", "--------------------", "   1 |     # escape=\\", "   2 |     #", "   3 |     FROM busybox",
        "   4 | >>> RUN false", "  12 |     ", "--------------------",
    ]  # fmt: skip
    assert told(*excerpt) == [
        "Dockerfile:2", "--------------------", "   1 |     FROM busybox", "   2 | >>> RUN false", "  10 |     ",
        "--------------------",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("ERROR: failed to solve: dockerfile parse error on line 5: unknown instruction: X",
         "ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: X"),
        ("Error response from daemon: dockerfile parse error line 5: unknown instruction: X",
         "Error response from daemon: dockerfile parse error line 3: unknown instruction: X"),
        ("#1 WARN: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 3)",
         "#1 WARN: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"),
        (" - JSONArgsRecommended: JSON arguments recommended for CMD (line 9)",
         " - JSONArgsRecommended: JSON arguments recommended for CMD (line 7)"),
    ],
)  # fmt: skip
def test_a_place_is_of_the_apps_own_file(line: str, own: str) -> None:
    assert told(line) == [own]


@pytest.mark.parametrize(
    "line",
    [
        "#7 0.123 oops (line 5)",
        "#7 [2/3] RUN echo '(line 5)'",
        "The command 'x (line 5) y' returned",
        f"{'9' * 5000} | x",
    ],
)
def test_what_the_app_says_stays(line: str) -> None:
    assert told(line) == [line]
