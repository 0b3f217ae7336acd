"""Reports about a build's output: the lines of the app's own Dockerfile, with their own numbers."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.docker.building.progress import BuildProgress


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


def test_lines_between_the_apps_own_are_not_counted() -> None:
    said: list[str] = []
    progress = BuildProgress(said.append, 2, added=(4, 7))
    for number in (3, 5, 6, 8):
        progress.err(f"dockerfile parse error line {number}: unknown instruction: X")
    assert [line.split()[4] for line in said] == ["1:", "2:", "3:", "4:"]


def test_steps_have_the_numbers_of_the_apps_own_file() -> None:
    said: list[str] = []
    progress = BuildProgress(said.append, added=(4,))
    for line in ("Step 1/3 : FROM busybox", "Step 2/3 : LABEL norn.io/stage=blog", "Step 3/3 : RUN false"):
        progress.out(line)
    progress.err("The command '/bin/sh -c false' returned a non-zero code: 1")
    assert [line for line in said if line.startswith("Step")] == ["Step 1/2 : FROM busybox\n", "Step 2/2 : RUN false\n"]
    assert progress.failure == " at step 2, RUN false: it exited 1"
