"""`norn deploy`: builds, tests and rolls out a revision, or a directory of this machine."""

from __future__ import annotations

from pathlib import Path

import click

from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, complete_app, work_options
from norn_cli.options import command as norn_command
from norn_cli.project import SPEC_FILE, is_path, named_app
from norn_cli.session import Session, pass_session
from norn_cli.uploads import elsewhere, uploading


@norn_command("deploy")
@click.argument("what", required=False, metavar="[APP|PATH]", shell_complete=complete_app)
@click.argument("ref", required=False)
@click.option("--ref", "ref_option", metavar="REF", help="The REF to deploy, if the app is not typed.")
@work_options
@pass_session
def command(session: Session, what: str | None, ref: str | None, ref_option: str | None, waiting: WaitOptions) -> None:
    """Builds, tests and rolls out a revision: REF is a branch, a tag or a SHA; the default is the spec's branch.

    For an app whose infraspec has `image`, REF is a tag or a digest of that image.

    PATH (with a slash, `.`, or a directory with an infraspec.yaml) deploys the files of that directory. Without
    arguments, `norn deploy` does so for the current directory if it has an infraspec.yaml. But if the server knows a
    repository or a directory of the app, it deploys that instead, and a note says which files are deployed.
    """
    if ref and ref_option and ref != ref_option:
        raise Usage(f"two refs were given: {ref} and, by --ref, {ref_option}", hint="give one")
    wanted = ref or ref_option
    directory = _directory(session, what, wanted)
    if directory is not None:
        uploading.deploy_directory(session, directory, waiting)
        return
    name = session.app(what)
    if wanted is None:  # a ref belongs to a repository, not to a directory
        elsewhere.note_source(session, name)
    work.see_through(session, session.client.work(name, "deploy", {"ref": wanted}), waiting)


def _directory(session: Session, what: str | None, ref: str | None) -> uploading.Local | None:
    """Returns the directory to deploy; None if the argument is an app's name."""
    if what is not None and is_path(what):
        if ref is not None:
            raise Usage(f"{what} is deployed as it is, and has no {ref}", hint=f"norn deploy {what}; or set repo.url")
        return uploading.local(session, Path(what))
    here = Path(what or "")
    if not (here / SPEC_FILE).is_file() or ref is not None or (what is None and named_app(session.app_option)):
        return None
    found = uploading.local(session, here)
    if what is not None and found.app != what:
        raise Usage(
            f"{what} is a directory here with the infraspec of {found.app}, and could be an app's name",
            hint=f"norn deploy ./{what}, or norn deploy --app {what}",
        )
    return None if found.of_repository or _from_server(session, found.app) else found


def _from_server(session: Session, app: str) -> bool:
    """Returns True if the server itself knows where the app's files are."""
    known = uploading.known(session, app)
    return known is not None and known.get("source") in ("git", "directory")
