"""Deploys a directory of this machine: applies its spec, packs and uploads its files, and forges a new app first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from norn_cli.answers import Json
from norn_cli.display.styles import Style, Styled
from norn_cli.errors import CliError, Refused, Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions
from norn_cli.project import SPEC_FILE, app_of, read_spec, spec_files, values_of
from norn_cli.session import Session
from norn_cli.uploads import packing
from norn_cli.uploads.applying import apply_file, name_of
from norn_cli.uploads.ignoring import Ignored
from norn_cli.uploads.packing import Packed


@dataclass(frozen=True)
class Local:
    """A directory with an infraspec: the app that it names, and whether it has `repo.url` or `image`."""

    directory: Path
    app: str
    dockerfile: str
    of_repository: bool
    of_image: bool
    spec: Path
    """The infraspec's file."""


def locals_in(session: Session, directory: Path) -> tuple[Local, ...]:
    """Reads the infraspecs of a directory, or with `--app` only that of this app.

    Raises Usage if there is none, or if two name the same app, and Refused if one names no app.
    """
    files = spec_files(directory)
    if not files:
        raise Usage(f"there is no {SPEC_FILE} in {directory}", hint=f"norn init {directory} writes one")
    wanted = session.app_option
    if wanted and len(files) > 1:
        files = [file for file in files if app_of(read_spec(file)) == wanted] or files
    found: dict[str, Local] = {}
    for file in files:
        place = local(session, file)
        if place.app in found:
            both = f"{found[place.app].spec} and {file}"
            raise Usage(f"{both} both say app: {place.app}", hint="give each app a name of its own")
        found[place.app] = place
    return tuple(found.values())


def local(session: Session, file: Path) -> Local:
    """Reads an infraspec; raises Refused if it names no app."""
    text = read_spec(file)
    values = values_of(text)
    repository, build = _section(values, "repo"), _section(values, "build")
    dockerfile = build.get("dockerfile")
    name = name_of(session, file, text)
    recipe = dockerfile if isinstance(dockerfile, str) else "Dockerfile"
    return Local(file.parent, name, recipe, "url" in repository, "image" in values, file)


def _section(values: Json, name: str) -> Json:
    section = values.get(name)
    return section if isinstance(section, dict) else {}


def known(session: Session, app: str) -> Json | None:
    """Returns the app as the server knows it; None if the server does not know it."""
    try:
        return session.client.app(app)
    except Refused as error:
        if error.status == 404:
            return None
        raise


def deploy_directory(session: Session, place: Local, waiting: WaitOptions) -> None:
    """Deploys the directory, and prints each step when it ends; a new app is forged first."""
    require_uploadable(place)
    until = deadline(waiting)
    app = applied(session, place)
    revision = None if place.of_image else uploaded(session, place, packed(session, (place,)))
    if not is_forged(app):
        forge(session, place.app, left(waiting, until))
    accepted = session.client.work(place.app, "deploy", {"source": revision})
    work.see_through(session, accepted, left(waiting, until))


def require_uploadable(place: Local) -> None:
    """Raises Usage for an app that is deployed from its repository."""
    if place.of_repository:
        raise Usage(
            f"{place.spec} says repo.url: {place.app} is deployed from its repository, not from a directory",
            hint=f"norn deploy --app {place.app}; or remove repo from {place.spec}",
        )


def is_forged(app: Json) -> bool:
    """Returns True if the app's infrastructure exists (state `forged`)."""
    return bool((app.get("forge") or {}).get("state") == "forged")


def applied(session: Session, place: Local) -> Json:
    """Applies the spec, unless the server reads the app's spec from a directory of its own; returns the app."""
    app = known(session, place.app)
    if app is not None and app.get("directory" if app.get("source") == "image" else "origin") and _has_files(app):
        return app
    applied = apply_file(session, place.spec)
    _print_step(session, "apply-spec", f"{place.app}: {applied['role']}" + (", new" if app is None else ""))
    for notice in applied.get("notices") or []:
        session.output.say(f"note: {notice}")
    return applied


def _has_files(app: Json) -> bool:
    return app.get("source") in ("directory", "upload", "image")


def uploaded(session: Session, place: Local, source: Packed) -> str:
    """Uploads a packed source for the app; returns its revision, or raises CliError if the server computes another."""
    kept = session.client.put_source(place.app, source.archive)
    if kept.get("revision") != source.revision:
        raise CliError(
            f"the server has read another source than was packed: {kept.get('revision')}, not {source.revision}",
            hint="norn version prints both versions: install the same one on both sides",
        )
    _print_step(session, "upload-source", source.revision)
    return source.revision


def packed(session: Session, places: Sequence[Local]) -> Packed:
    """Packs the directory of these apps; their infraspecs and Dockerfiles are never left out."""
    directory = places[0].directory
    recipes = {place.dockerfile for place in places}
    always = {file.name for file in spec_files(directory)} | recipes | {f"{each}.dockerignore" for each in recipes}
    ignored = Ignored(directory, always)
    limit = int(session.client.version().get("source_max") or 0)
    source = packing.pack(directory, ignored, limit)
    for path in source.left_out:
        session.output.say(Styled("note: ", Style.CARE), f"{path} is neither file, directory nor link: left out")
    for path in source.private:
        hint = "name it in .dockerignore to leave it out; norn secrets set --from-file keeps its values"
        session.output.say(
            Styled("note: ", Style.CARE), f"{path} is uploaded, and COPY . . puts it into the image: {hint}"
        )
    _print_step(session, "pack-source", f"{source.files} files, {_bytes(source.size)}")
    return source


def forge(session: Session, app: str, waiting: WaitOptions) -> None:
    """Forges an app and waits for the forge; with `--detach` it does not wait, and the server runs the deploy after the
    forge.
    """
    accepted = session.client.work(app, "forge", {"force": False})
    if not waiting.detach:
        work.raise_if_failed(session.client, work.wait(session, accepted["job"], waiting))


def deadline(waiting: WaitOptions) -> float | None:
    """Returns the time of the monotonic clock at which the command stops waiting; None without `--timeout`."""
    return time.monotonic() + waiting.timeout if waiting.timeout else None


def left(waiting: WaitOptions, until: float | None) -> WaitOptions:
    """Returns the options with the time that is left until the deadline."""
    return waiting if until is None else replace(waiting, timeout=max(0.1, until - time.monotonic()))


def _print_step(session: Session, step: str, remark: str) -> None:
    session.output.say(Styled("✔ ", Style.GOOD), step, Styled(f"  {remark}", Style.FAINT))


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 1024:.1f} KiB"
