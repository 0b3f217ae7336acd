"""`norn webhook`: manages the webhooks with which GitHub, Gitea and GitLab report pushes."""

from __future__ import annotations

import click

from norn_cli.answers import Json
from norn_cli.confirm import confirm
from norn_cli.display.webhooks import PUSH_DELIVERIES, WEBHOOKS
from norn_cli.errors import CliError, Missing
from norn_cli.options import commands, confirm_option, limit_option
from norn_cli.session import Session, pass_session

_ID = click.IntRange(min=1)


@commands("webhook")
def command() -> None:
    """Makes, lists, rotates and removes webhooks of repositories."""


@command.command("list")
@pass_session
def list_webhooks(session: Session) -> None:
    """Lists the webhooks; no secret is shown again."""
    session.output.page(session.client.webhooks(), WEBHOOKS, none="there is no webhook yet: norn webhook create URL")


@command.command("create")
@click.argument("repository")
@pass_session
def create(session: Session, repository: str) -> None:
    """Makes the webhook of a repository and prints its address and secret, only this once.

    REPOSITORY is the repository's https or ssh address, as in repo.url of an infraspec. Apps with repo.autoDeploy are
    deployed when their branch is pushed.
    """
    _show(session, session.client.create_webhook(repository))


@command.command("rotate")
@click.argument("webhook", metavar="ID", type=_ID)
@pass_session
def rotate(session: Session, webhook: int) -> None:
    """Prints a new secret for a webhook; the earlier one is no longer valid."""
    _show(session, session.client.rotate_webhook(webhook))


@command.command("deliveries")
@click.argument("webhook", metavar="ID", type=_ID)
@limit_option()
@pass_session
def deliveries(session: Session, webhook: int, limit: int) -> None:
    """Lists the deliveries of a webhook and their results, newest first."""
    session.output.page(session.client.push_deliveries(webhook, limit), PUSH_DELIVERIES)


@command.command("remove")
@click.argument("webhook", metavar="ID", type=_ID)
@confirm_option
@pass_session
def remove(session: Session, webhook: int, confirm_name: str | None) -> None:
    """Removes a webhook: its deliveries are refused from now on."""
    repository = _repository(session.client.webhooks()["items"], webhook)
    confirm(session.output, repository, confirm_name, f"Pushes to {repository} are no longer accepted.")
    session.client.remove_webhook(webhook)
    session.output.record({"removed": webhook}, [("removed", f"{webhook} {repository}")], webhook)


def _show(session: Session, made: Json) -> None:
    if made["secret"] is None:
        raise CliError(
            f"the webhook {made['id']} was made, but the response with its secret was lost; it is not shown again",
            hint=f"norn webhook rotate {made['id']} makes a new one",
        )
    session.output.record(made, [("address", made["address"]), ("secret", made["secret"])], made["id"])
    session.output.hint(
        "it is shown only now; enter both at the repository's webhooks, with JSON as the format and pushes as the event"
    )


def _repository(webhooks: list[Json], webhook: int) -> str:
    for each in webhooks:
        if each["id"] == webhook:
            return str(each["repository"])
    raise Missing(f"there is no webhook {webhook}", hint="norn webhook list")
