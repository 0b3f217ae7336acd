"""The tree of commands: its help is fast, complete in the docs, and consistent."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from norn_api.schemas.apps import LogsQuery
from norn_api.schemas.cron import NextQuery, TicksQuery
from norn_api.schemas.functions import CallsQuery
from norn_api.schemas.jobs import DeploymentsQuery, JobsQuery
from norn_cli.errors import ExitCode
from norn_cli.main import SUMMARIES, cli
from norn_cli.options import NornCommand

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "cli.md").read_text("utf-8")
HELP = [sys.executable, "-c", "from norn_cli.main import main; main()", "--help"]


def leaves(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yields every command without subcommands, with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


LEAVES = dict(leaves(cli, "norn"))


def test_the_docs_have_one_line_for_each_command_and_no_other():
    described = re.findall(r"^\| `(norn(?: [a-z-]+)+)", DOCS, re.MULTILINE)
    assert sorted(described) == sorted(LEAVES)


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_docs_tell_every_exit_code(code):
    assert re.search(rf"^\| {int(code)} \|", DOCS, re.MULTILINE)


@pytest.mark.parametrize("name", list(LEAVES))
def test_every_command_takes_the_global_options_and_says_what_it_does(name):
    command = LEAVES[name]
    assert isinstance(command, NornCommand)
    assert command.help


@pytest.mark.parametrize("name", list(LEAVES))
def test_every_option_is_mentioned_by_its_help(name):
    options = [param for param in LEAVES[name].params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    ("name", "option", "query", "field"),
    [
        ("norn logs", "tail", LogsQuery, "tail"),
        ("norn cron next", "limit", NextQuery, "n"),
        ("norn cron history", "limit", TicksQuery, "limit"),
        ("norn fn history", "limit", CallsQuery, "limit"),
        ("norn deployments", "limit", DeploymentsQuery, "limit"),
        ("norn jobs list", "limit", JobsQuery, "limit"),
    ],
)
def test_a_number_is_offered_as_far_as_the_api_takes_it(name, option, query, field):
    offered = next(param.type for param in LEAVES[name].params if param.name == option)
    assert isinstance(offered, click.IntRange)
    taken = query.model_json_schema()["properties"][field]
    assert (offered.min, offered.max) == (taken["minimum"], taken["maximum"])


def test_every_module_of_commands_is_listed():
    modules = {path.stem.replace("_", "-") for path in (ROOT / "norn_cli" / "commands").rglob("*.py")} - {"--init--"}
    assert modules == set(SUMMARIES)


def test_help_answers_within_300_ms():
    """Measured in CPU time, which other tests on this machine do not influence."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(HELP, check=True, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(once() for _ in range(5)) < 0.3


def test_help_loads_nothing_heavy():
    see = "import sys; from norn_cli.main import cli; cli.main(['--help'], standalone_mode=False); "
    names = ("rich", "httpx", "yaml", "platformdirs", "pydantic", "norn_tasks", "norn_api")
    heavy = f"print([name for name in {names} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", see + heavy], check=True, capture_output=True, text=True, cwd=ROOT)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_the_cli_runs_without_the_server_packages():
    # None in sys.modules makes Python report that the module is not installed.
    without = (
        "import sys; sys.modules.update(dict.fromkeys(['flask', 'celery', 'sqlalchemy', 'norn_tasks', 'norn_api'])); "
    )
    load = "import click; from norn_cli.main import cli; [cli.get_command(None, n) for n in cli.list_commands(None)]"
    subprocess.run([sys.executable, "-c", without + load], check=True, cwd=ROOT)
