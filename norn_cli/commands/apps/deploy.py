"""`norn deploy`: builds, tests and rolls out a revision, or a directory of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from norn_cli.errors import Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions, complete_app, work_options
from norn_cli.options import command as norn_command
from norn_cli.project import is_path, named_app, spec_files
from norn_cli.session import Session, pass_session
from norn_cli.uploads import elsewhere, together, uploading
from norn_cli.uploads.together import Wanted
from norn_cli.uploads.uploading import Local


@norn_command("deploy")
@click.argument("what", required=False, metavar="[APP|PATH]", shell_complete=complete_app)
@click.argument("ref", required=False)
@click.option("--ref", "ref_option", metavar="REF", help="The REF to deploy, for a command line without an app.")
@work_options
@pass_session
def command(session: Session, what: str | None, ref: str | None, ref_option: str | None, waiting: WaitOptions) -> None:
    """Builds, tests and rolls out a revision: REF is a branch, a tag or a SHA; the default is the spec's branch.

    For an app whose infraspec has `image`, REF is a tag or a digest of that image.

    PATH (with a slash, `.`, or a directory with an infraspec) deploys the files of that directory. Without arguments,
    `norn deploy` deploys the current directory if it has an infraspec. But if the server knows a repository or a
    directory of the app, it deploys the files there instead, and a note says which files are deployed.

    If a directory has several infraspecs (infraspec.yaml, infraspec.NAME.yaml), all its apps are deployed together;
    with --app, only that one.
    """
    if ref and ref_option and ref != ref_option:
        raise Usage(f"two refs were given: {ref} and, by --ref, {ref_option}", hint="give one")
    wanted = ref or ref_option
    apps = _of_directory(session, what, wanted)
    if len(apps) > 1:
        together.deploy(session, apps, waiting)
        return
    if apps and not apps[0].named:
        uploading.deploy_directory(session, apps[0].place, waiting)
        return
    name = apps[0].place.app if apps else session.app(what)
    if wanted is None:  # a ref belongs to a repository, not to a directory
        elsewhere.note_source(session, name)
    work.see_through(session, session.client.work(name, "deploy", {"ref": wanted}), waiting)


def _of_directory(session: Session, what: str | None, ref: str | None) -> tuple[Wanted, ...]:
    """Returns the apps of the directory to deploy; none if the argument is an app's name."""
    if what is not None and is_path(what):
        if ref is not None:
            raise Usage(f"{what} is deployed as it is, and has no {ref}", hint=f"norn deploy {what}; or set repo.url")
        return tuple(Wanted(place, named=False) for place in uploading.locals_in(session, Path(what)))
    here = Path(what or "")
    files = spec_files(here)
    if not files or (what is None and named_app(session.app_option)) or (ref is not None and not _all(what, files)):
        return ()
    places = uploading.locals_in(session, here)
    if what is not None:
        return _by_name(session, what, places)
    return tuple(Wanted(place, ref is not None or _from_server(session, place), ref) for place in places)


def _all(what: str | None, files: Sequence[Path]) -> bool:
    """Returns True if a ref without an app belongs to all apps of the current directory, because there are several."""
    return what is None and len(files) > 1


def _by_name(session: Session, what: str, places: Sequence[Local]) -> tuple[Wanted, ...]:
    """Returns the apps of the directory `what`, if one of them has the same name as the directory; none if the server
    has the source of that app. Raises Usage if no app of the directory has its name.
    """
    named = next((place for place in places if place.app == what), None)
    if named is None:
        raise Usage(
            f"{what} could be an app's name, and is also a directory here, with the infraspec of {places[0].app}",
            hint=f"norn deploy ./{what}, or norn deploy --app {what}",
        )
    return () if _from_server(session, named) else tuple(Wanted(place, named=False) for place in places)


def _from_server(session: Session, place: Local) -> bool:
    """Returns True if the server itself knows where the app's files are."""
    if place.of_repository:
        return True
    known = uploading.known(session, place.app)
    return known is not None and known.get("source") in ("git", "directory")
