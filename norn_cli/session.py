"""The context of one command: its global options, and the client, the output and the app that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import click

from norn_cli.display.formats import Format
from norn_cli.display.output import Output

if TYPE_CHECKING:
    from norn_cli.client import Client
    from norn_cli.config import Profile


@dataclass(frozen=True)
class Session:
    """One run of `norn`. Each part is created at its first use, so that help and completion stay quick."""

    url: str = ""
    token: str = ""
    context: str = ""
    app_option: str = ""
    form: Format = Format.TABLE
    colour: bool = True

    @cached_property
    def profile(self) -> Profile:
        """The server and the token."""
        from norn_cli.config import find_profile

        return find_profile(url=self.url, token=self.token, context=self.context)

    @cached_property
    def client(self) -> Client:
        """The client of that server."""
        from norn_cli.client import Client

        return Client(self.profile)

    @cached_property
    def output(self) -> Output:
        """The output of this run."""
        return Output(self.form, colour=self.colour)

    def app(self, typed: str | None = None) -> str:
        """Returns the app of the command: the typed one, or that of --app, NORN_APP or the directory's infraspec."""
        from norn_cli.errors import Usage
        from norn_cli.project import find_app

        if typed and self.app_option and typed != self.app_option:
            raise Usage(f"two apps were named: {typed} and, by --app, {self.app_option}", hint="name one")
        return find_app(typed or self.app_option)


pass_session = click.make_pass_decorator(Session)
