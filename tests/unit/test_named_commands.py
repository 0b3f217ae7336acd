"""Every `norn …` command that the source or the docs mention can be typed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from norn_cli.main import cli
from tests.unit.named_commands import GAP, Named, named, refusal, texts_of_page, texts_of_source

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for name in ("norn_api", "norn_cli", "norn_tasks") for path in (ROOT / name).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(path for name in ("docs", "examples") for path in (ROOT / name).rglob("*.md"))])
ACTOR = {Named("restore", quoted=False)}
"""An actor's name in the source that looks like a command."""


def wrong(texts: Iterable[str]) -> list[str]:
    """Returns each command of the texts that cannot be typed, with the reason."""
    commands = [command for text in texts for command in named(text) if command not in ACTOR]
    return [f"norn {command.line}: {why}" for command in commands if (why := refusal(cli, command))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_names_only_what_can_be_typed(path):
    assert wrong(texts_of_source(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_docs_name_only_what_can_be_typed(path):
    assert wrong(texts_of_page(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "hint",
    [
        "'norn webhook make prints the URL'",
        "'norn jobs kill 7'",
        "'norn cron'  'ify blog'",
        "'norn token create'",
        "'norn init --dir new'",
        "'wait, or norn cron run blog --hard'",
        "'norn status lists the apps; norn frobnicate makes one'",
        "f'norn logs {app} --tail {n} --colour'",
        "f'norn jobs show {job} or norn jobs shows {job}'",
        "'norn jobs show blog'",
        "'norn cron next blog -n 101'",
        "'''Says.\n\n    `norn why --all` says more.'''",
    ],
)
def test_a_wrong_command_in_a_sentence_is_found(hint):
    assert len(wrong(texts_of_source(f"hint = {hint}"))) == 1


@pytest.mark.parametrize(
    "page",
    ["Say `norn stat`.", "```\nnorn up --now\n```", "| conflict | norn teardown blog --all |", "`norn logs [-f] [-x]`"],
)
def test_a_wrong_command_on_a_page_is_found(page):
    assert len(wrong(texts_of_page(page))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "norn finds it, so that norn has it",
        "norn_tasks, not norn-x and not ./norn up; nor NORN_URL",
        "norn init writes one, and norn --help lists the commands",
        f"norn exec {GAP} -- ls --all",
        "`norn cron` and `norn backup`, and on to `norn scale [APP] N|--reset`",
    ],
)
def test_what_can_be_typed_and_what_only_speaks_of_norn_is_let_be(text):
    assert wrong([text]) == []


def test_the_commands_of_a_sentence_are_found_apart():
    text = f"norn status {GAP}, norn down; `norn jobs` or norn logs --server api. NORN_PORT=1 norn up"
    assert [command.line for command in named(text)] == [f"status {GAP}", "down", "jobs", "logs --server api", "up"]
