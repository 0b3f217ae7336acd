"""The `norn` command: lists the commands, loads the one in use, prints errors and sets the exit status."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import click

from norn_cli.display.formats import Format
from norn_cli.display.output import Output
from norn_cli.errors import CliError, Detached, ExitCode, Usage
from norn_cli.options import NornCommand, colour_wanted, global_options
from norn_cli.session import Session

# Each section is a folder of `commands`; each name is a module in it (a dash becomes an underscore) with an attribute
# `command`.
COMMANDS = {
    "Apps": {
        "init": "Write an infraspec.yaml to start from",
        "validate": "Check an infraspec, here or on the server",
        "schema": "Print the JSON Schema of infraspec.yaml, for editors",
        "apply": "Register an infraspec with the server",
        "plan": "Show what forge and deploy would change",
        "drift": "Show what somebody other than Norn changed in an app's cluster",
        "forge": "Make an app's infrastructure",
        "deploy": "Build, test and roll out a revision",
        "rollback": "Go back to an earlier release",
        "resolve": "Continue or abandon a job that needs attention",
        "restart": "Replace an app's containers by new ones",
        "scale": "Set how many replicas run",
        "teardown": "Remove what forge made",
        "destroy": "Tear an app down and forget it",
        "secrets": "Set, list, import and export an app's secrets",
    },
    "Looking": {
        "status": "Show all apps, or one app in detail",
        "logs": "Print what an app, or the server, has written",
        "why": "Explain why an app is not as it should be",
        "exec": "Run a program inside a replica that serves",
        "run": "Run a command once in an app's image",
        "runs": "List and show the commands of norn run",
        "open": "Print an app's URL and open it",
        "deployments": "List an app's deployments",
        "releases": "List an app's releases",
        "specs": "List the infraspecs that were applied to an app",
        "alerts": "List the alerts of apps",
        "events": "List what happened, or follow it",
        "jobs": "List jobs, show, follow and cancel them",
    },
    "Data": {
        "db": "List, back up and restore the databases of apps",
        "services": "List the databases, keys and topics of apps",
    },
    "Functions and cron": {
        "invoke": "Call a function",
        "fn": "List a function's calls, and repeat them",
        "cron": "Show schedules; run, pause and change them",
    },
    "Public names": {
        "maintenance": "Show visitors a page instead of an app",
    },
    "Repositories": {
        "repo": "Manage the logins of private repositories",
        "webhook": "Manage the webhooks that report pushes",
    },
    "Server": {
        "up": "Start a whole server on this machine",
        "down": "Stop the server that up started",
        "backup": "Save the control plane to a file",
        "restore": "Restore the control plane from a backup",
        "health": "Show the health of the server",
        "doctor": "Check the server, and suggest what to fix",
        "worker": "List the workers, or drain one",
        "notify": "Manage the receivers of alerts",
        "token": "List, create and revoke tokens",
        "ui": "Open the page in a browser, signed in",
        "session": "List the browsers that are signed in, or sign one out",
        "settings": "List the settings of the server",
        "context": "Keep the addresses of several servers",
        "completion": "Print the completion script for a shell",
        "version": "Print the versions of norn and of the server",
    },
}
FOLDERS = {
    "Apps": "apps",
    "Looking": "looking",
    "Data": "data",
    "Functions and cron": "functions",
    "Public names": "public",
    "Repositories": "repositories",
    "Server": "server",
}
SUMMARIES = {name: summary for section in COMMANDS.values() for name, summary in section.items()}
_FOLDER_OF = {name: FOLDERS[section] for section, commands in COMMANDS.items() for name in commands}
_NAME_WIDTH = max(map(len, SUMMARIES))


class NornGroup(click.Group):
    """The root group: it finds commands in COMMANDS and prints their errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in the order of COMMANDS."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads a command; returns None if there is no command of that name."""
        if cmd_name not in SUMMARIES:
            return None
        module = importlib.import_module(f"norn_cli.commands.{_FOLDER_OF[cmd_name]}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that was typed; suggests a similar name if there is none."""
        if args[0] not in SUMMARIES and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], SUMMARIES, n=1)
            hint = f"did you mean norn {close[0]}?" if close else "norn --help lists the commands"
            raise Usage(f"there is no command {args[0]}", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the commands by section, without loading any."""
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(_NAME_WIDTH), summary) for name, summary in commands.items()])

    def main(  # type: ignore[override]  # click's own is overloaded by standalone_mode
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> int:
        """Runs one command line; exits with its status, or returns it if `standalone_mode` is false."""
        code = self._run(args, **extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(self, args: Sequence[str] | None, **extra: Any) -> int:
        args = sys.argv[1:] if args is None else args
        colour = colour_wanted() and "--no-color" not in args
        extra.setdefault("color", None if colour else False)
        try:
            try:
                code = super().main(args, "norn", standalone_mode=False, **extra)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            _close_quietly(sys.stdout)
            return int(ExitCode.FAILED)
        except click.Abort:
            return int(ExitCode.INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return int(ExitCode.USAGE)
        except click.ClickException as error:
            return _print_error(_as_usage(error), colour)
        except CliError as error:
            return _print_error(error, colour)
        return code if isinstance(code, int) else 0


def _print_error(error: CliError, colour: bool) -> int:
    output = Output(Format.TABLE, colour=colour)
    if isinstance(error, Detached):
        output.note(error)
    else:
        output.error(error)
    return error.code


def _as_usage(error: click.ClickException) -> Usage:
    context = error.ctx if isinstance(error, click.UsageError) else None
    sentence = error.format_message().rstrip(".")
    return Usage(sentence[:1].lower() + sentence[1:], hint=f"{context.command_path if context else 'norn'} --help")


def _close_quietly(stream: TextIO) -> None:
    # The program that read this command's output has ended. The rest of the buffer is discarded, so that Python prints
    # no error at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from norn_cli.commands.server.version import own_version

        click.echo(f"norn {own_version()}")
        context.exit()


@click.group("norn", cls=NornGroup, params=global_options(), context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Print the version of norn.")  # fmt: skip
@click.pass_context
def cli(context: click.Context) -> None:
    """Runs small apps: webservers, workers, cron jobs and functions.

    Each app is described by one infraspec.yaml. A command works on the app named after it; without a name, on the app
    that --app, NORN_APP or the infraspec in the current directory gives, in this order.
    """
    context.obj = context.obj or Session(colour=colour_wanted())


def main() -> NoReturn:
    """Runs `norn`: the entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    cli.main()
    raise AssertionError("cli.main ends the process")


__all__ = ["COMMANDS", "NornCommand", "cli", "main"]
