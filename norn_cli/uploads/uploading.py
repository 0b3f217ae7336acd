"""Deploying a directory of this machine: its spec applied, its files packed and uploaded, forged if it is new."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from norn_cli.answers import Json
from norn_cli.display.output import Style, Styled
from norn_cli.errors import CliError, Refused, Usage
from norn_cli.following import work
from norn_cli.options import WaitOptions
from norn_cli.project import SPEC_FILE, read_spec, values_of
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
    of_image: bool = False

    @property
    def spec(self) -> Path:
        """The infraspec's file."""
        return self.directory / SPEC_FILE


def local(session: Session, directory: Path) -> Local:
    """Reads the infraspec of a directory; raises Usage if there is none, Refused if it names no app."""
    file = directory / SPEC_FILE
    if not file.is_file():
        raise Usage(f"there is no {SPEC_FILE} in {directory}", hint=f"norn init {directory} writes one")
    text = read_spec(file)
    values = values_of(text)
    repository, build = _section(values, "repo"), _section(values, "build")
    dockerfile = build.get("dockerfile")
    name = name_of(session, file, text)
    recipe = dockerfile if isinstance(dockerfile, str) else "Dockerfile"
    return Local(directory, name, recipe, "url" in repository, "image" in values)


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
    """Deploys the directory, printing every step as it ends; an app that is new is forged first."""
    if place.of_repository:
        raise Usage(
            f"{place.spec} says repo.url: {place.app} is deployed from its repository, not from a directory",
            hint=f"norn deploy --app {place.app}; or remove repo from {place.spec}",
        )
    until = time.monotonic() + waiting.timeout if waiting.timeout else None
    app = _applied(session, place)
    revision = None if place.of_image else _uploaded(session, place)
    if (app.get("forge") or {}).get("state") != "forged":
        _forge(session, place.app, _left(waiting, until))
    accepted = session.client.work(place.app, "deploy", {"source": revision})
    work.see_through(session, accepted, _left(waiting, until))


def _applied(session: Session, place: Local) -> Json:
    """Applies the spec, unless the server reads the app's spec from a directory of its own."""
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


def _uploaded(session: Session, place: Local) -> str:
    packed = _packed(session, place)
    kept = session.client.put_source(place.app, packed.archive)
    if kept.get("revision") != packed.revision:
        raise CliError(
            f"the server has read another source than was packed: {kept.get('revision')}, not {packed.revision}",
            hint="norn version prints both versions: install the same one on both sides",
        )
    _print_step(session, "upload-source", packed.revision)
    return packed.revision


def _packed(session: Session, place: Local) -> Packed:
    ignored = Ignored(place.directory, (SPEC_FILE, place.dockerfile, f"{place.dockerfile}.dockerignore"))
    limit = int(session.client.version().get("source_max") or 0)
    packed = packing.pack(place.directory, ignored, limit)
    for path in packed.left_out:
        session.output.say(Styled("note: ", Style.CARE), f"{path} is neither file, directory nor link: left out")
    for path in packed.private:
        hint = "name it in .dockerignore to leave it out; norn secrets set --from-file keeps its values"
        session.output.say(
            Styled("note: ", Style.CARE), f"{path} is uploaded, and COPY . . puts it into the image: {hint}"
        )
    _print_step(session, "pack-source", f"{packed.files} files, {_bytes(packed.size)}")
    return packed


def _forge(session: Session, app: str, waiting: WaitOptions) -> None:
    accepted = session.client.work(app, "forge", {"force": False})
    if not waiting.detach:  # with --detach the deploy is queued behind the forge
        work.raise_if_failed(session.client, work.wait(session, accepted["job"], waiting))


def _left(waiting: WaitOptions, until: float | None) -> WaitOptions:
    return waiting if until is None else replace(waiting, timeout=max(0.1, until - time.monotonic()))


def _print_step(session: Session, step: str, remark: str) -> None:
    session.output.say(Styled("✔ ", Style.GOOD), step, Styled(f"  {remark}", Style.FAINT))


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 1024:.1f} KiB"
