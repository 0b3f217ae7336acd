"""`norn completion`: prints a shell's completion script for commands, options and app names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from norn_cli.options import command as norn_command
from norn_cli.options import forms
from norn_cli.session import Session, pass_session


@norn_command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@forms(because="it prints a script")
@click.pass_context
@pass_session
def command(session: Session, context: click.Context, shell: str) -> None:
    """Prints the completion script of a shell: eval "$(norn completion bash)" in its start file."""
    made = get_completion_class(shell)
    if made is None:
        raise AssertionError(f"click completes for {shell}")
    session.output.line(made(context.find_root().command, {}, "norn", "_NORN_COMPLETE").source())
