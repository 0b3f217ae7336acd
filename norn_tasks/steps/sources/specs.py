"""The infraspecs in a fetched source: finds the file of the app, and the names of all apps in the source.

Mistakes in the files of other apps are ignored here; they are reported when those apps are deployed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import FILE_NAME, MAX_BYTES, Infraspec, app_named, decode, parse, spec_names


@dataclass(frozen=True)
class _Found:
    """A file with an infraspec, and the app that it names."""

    name: str
    content: bytes

    @property
    def app(self) -> str:
        return app_named(self.content)


def spec_in(source: Path, registered: Infraspec) -> Infraspec:
    """Returns the app's infraspec in this revision: from the file that names the app or, if none does, from
    infraspec.yaml.

    Returns the registered infraspec if there is neither. Raises SpecInvalid. Raises InvalidRequest if two files name
    the app, or if the app's name or role has changed.
    """
    files = _files(source)
    mine = [file for file in files if file.app == registered.app] or [file for file in files if file.name == FILE_NAME]
    if not mine:
        return registered
    if len(mine) > 1:
        names = " and ".join(file.name for file in mine[:2])
        raise InvalidRequest(f"{names} both say app: {registered.app}", hint="give each app a name of its own")
    spec = parse(decode(mine[0].content, mine[0].name), mine[0].name)
    for field, ours, theirs in (("app", registered.app, spec.app), ("role", registered.role, spec.role)):
        if ours != theirs:
            raise InvalidRequest(
                f"{mine[0].name} of this revision says {field}: {theirs}, and the app is {ours}",
                hint=f"an app's {field} may not change; apply it as an app of its own",
            )
    return spec


def apps_in(source: Path) -> tuple[str, ...]:
    """Returns the apps that infraspecs in the source name, in alphabetical order."""
    return tuple(sorted({file.app for file in _files(source)} - {""}))


def _files(source: Path) -> list[_Found]:
    paths = [source / name for name in spec_names(entry.name for entry in source.iterdir())]
    return [_Found(path.name, _content(path)) for path in paths if not path.is_symlink() and path.is_file()]


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
