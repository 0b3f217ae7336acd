"""Options and arguments that commands share: the global options, `APP`, and the options for waiting for work."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from norn_cli.display.formats import Format
from norn_cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])

ROLES = ("webserver", "worker", "cron", "function")
"""The roles of apps: the values that an option such as `--role` accepts."""

COMPLETION_SECONDS = 0.5
_TYPED = "norn.typed"


def _keep(field: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> Any:
        if value not in (None, False):
            session = context.obj or Session(colour=colour_wanted())
            context.obj = replace(session, **{field: Format(value) if field == "form" else value})
        return value

    return callback


def _no_colour(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.obj = replace(context.obj or Session(), colour=False)


def colour_wanted() -> bool:
    """Returns False if NO_COLOR is set to anything (https://no-color.org), which click ignores."""
    return not os.environ.get("NO_COLOR")


def complete_app(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the server's apps whose names begin with `incomplete`; none if the server is slow or refuses."""
    from norn_cli.client import Client
    from norn_cli.errors import CliError

    session = context.find_object(Session) or Session()
    try:
        apps = Client(session.profile, patience=COMPLETION_SECONDS).apps()["items"]
    except CliError:
        return []
    return [CompletionItem(app["name"], help=app.get("role")) for app in apps if app["name"].startswith(incomplete)]


def global_options() -> list[click.Option]:
    """Returns the options that `norn` takes before and after the name of the command."""
    say = {"expose_value": False}
    return [
        click.Option(["--app", "app_option"], metavar="APP", callback=_keep("app_option"), shell_complete=complete_app,
                     help="The app to work on.", **say),
        click.Option(["-o", "--output"], type=click.Choice([str(form) for form in Format]), metavar="FORMAT",
                     callback=_keep("form"), help="How data is printed: table, json, yaml or name.", **say),
        click.Option(["--url"], metavar="URL", callback=_keep("url"), help="The server.", **say),
        click.Option(["--token"], metavar="TOKEN", callback=_keep("token"),
                     help="The token; NORN_TOKEN keeps it out of the process list.", **say),
        click.Option(["--context"], metavar="NAME", callback=_keep("context"),
                     help="A server from norn context list.", **say),
        click.Option(["--no-color"], is_flag=True, callback=_no_colour, help="Print without colours.", **say),
    ]  # fmt: skip


class _WithGlobals(click.Command):
    """A command that accepts the global options after its name too, and lists them in the help after its own
    options.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._shared = global_options()
        self.params.extend(self._shared)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the command's own options, then the global ones."""
        own = [param for param in self.get_params(ctx) if param not in self._shared]
        for title, params in (("Options", own), ("Global options", self._shared)):
            records = [param.get_help_record(ctx) for param in params if isinstance(param, click.Option)]
            with formatter.section(title):
                formatter.write_dl([record for record in records if record])
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)


class NornCommand(_WithGlobals):
    """A command of `norn`."""


class NornCommands(_WithGlobals, click.Group):
    """A command of `norn` that has commands of its own."""

    command_class = NornCommand


def command(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a function a command of `norn`. The function returns the exit status; None is 0."""
    return click.command(name, cls=NornCommand, **attrs)


def commands(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], NornCommands]:
    """Makes a function a command of `norn` that has commands of its own."""
    return click.group(name, cls=NornCommands, **attrs)


class _AfterDashes(NornCommand):
    """A command whose own arguments end at `--`; the arguments after it belong to another program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the arguments after the first `--` for `typed_command`."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_TYPED], args = args[at + 1 :], args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Adds `-- COMMAND` to the usage line."""
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]


def command_with_another(name: str, **attrs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a function a command that takes another program's command line after `--`; `typed_command` returns it."""
    return click.command(name, cls=_AfterDashes, **attrs)


def typed_command() -> list[str]:
    """Returns the arguments after `--`; raises Usage if there are none."""
    context = click.get_current_context()
    typed: list[str] = context.meta.get(_TYPED) or []
    if not typed:
        from norn_cli.errors import Usage

        raise Usage("the command to run goes after --", hint=f"norn {context.info_name} blog -- ls -l")
    return typed


def app_argument(function: F) -> F:
    """Adds the optional argument APP."""
    return click.argument("app", required=False, shell_complete=complete_app)(function)


def forms(*taken: Format, because: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Refuses every format of `-o` except table and the formats in `taken`; `because` is the reason in the message."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            context = click.get_current_context()
            refuse_form((context.find_object(Session) or Session()).form, taken, context.command_path, because)
            return function(*args, **kwargs)

        return checked

    return decorate


def refuse_form(form: Format, taken: Collection[Format], command: str, because: str) -> None:
    """Raises Usage if a command has no output in this form."""
    from norn_cli.errors import Usage

    if form is not Format.TABLE and form not in taken:
        others = " or ".join(f"-o {other}" for other in taken)
        raise Usage(f"{command} has no -o {form}: {because}", hint=f"leave it out{others and f', or {others}'}")


def limit_option(default: int = 20, most: int = 200) -> Callable[[F], F]:
    """Adds `-n/--limit`; `most` is the largest page that the server returns."""
    return click.option("-n", "--limit", type=click.IntRange(1, most), default=default, show_default=True,
                        help="How many, at most.")  # fmt: skip


def confirm_option(function: F) -> F:
    """Adds `--confirm`."""
    return click.option(
        "--confirm",
        "confirm_name",
        metavar="NAME",
        help="The name that the command would ask for; confirms without asking.",
    )(function)


@dataclass(frozen=True)
class WaitOptions:
    """The options for waiting for accepted work; `timeout` is in seconds."""

    detach: bool = False
    timeout: float | None = None
    verbose: bool = False


def work_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--detach`, `--timeout` and `--verbose`, which are passed on as one argument `waiting`."""

    @click.option("--detach", is_flag=True, help="Print the job's id and do not wait for it.")
    @click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                  help="Stop waiting after this many seconds (exit 7); the job goes on.")  # fmt: skip
    @click.option("-v", "--verbose", is_flag=True, help="Show what the steps write, as they write it.")
    @wraps(function)
    def with_waiting(*args: Any, detach: bool, timeout: float | None, verbose: bool, **kwargs: Any) -> Any:
        return function(*args, waiting=WaitOptions(detach, timeout, verbose), **kwargs)

    return with_waiting
