"""Finds the app of a command: the one that was typed, else `NORN_APP`, else the infraspec in the current directory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from norn_cli.errors import CliError, Usage

SPEC_FILE = "infraspec.yaml"
SPEC_MAX = 64 * 1024
"""The most bytes of an infraspec."""

_SPEC_FILES = re.compile(r"infraspec(?:\.[a-zA-Z0-9_-]{1,60})?\.yaml", re.ASCII)
_APP_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")


def checked_name(name: str) -> str:
    """Returns an app's name unchanged; raises Usage if no app can have that name."""
    if not _APP_NAME.fullmatch(name):
        raise Usage(
            f"{name!r} is not an app's name",
            hint="a letter, then letters, digits and dashes, 40 at most; norn status lists the apps",
        )
    return name


def find_app(typed: str = "", *, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> str:
    """Returns the app's name; raises Usage if nothing names an app."""
    environ = os.environ if environ is None else environ
    name = typed or environ.get("NORN_APP", "")
    if name:
        return checked_name(name)
    files = spec_files(directory or Path())
    if not files:
        raise Usage(
            f"which app? None was named, and there is no {SPEC_FILE} in this directory",
            hint="name it after the command, by --app or by NORN_APP",
        )
    path = files[0]
    if len(files) > 1 and path.name != SPEC_FILE:
        raise Usage(
            f"which app? {' and '.join(file.name for file in files[:2])} are both in this directory",
            hint="name it after the command, by --app or by NORN_APP",
        )
    found = app_of(read_spec(path))
    if not found:
        raise Usage(f"{path} names no app", hint=f"norn validate {path}")
    return checked_name(found)


def spec_files(directory: Path) -> list[Path]:
    """Returns the infraspecs of a directory: infraspec.yaml first, then each infraspec.<name>.yaml."""
    try:
        names = sorted(
            filter(_SPEC_FILES.fullmatch, (entry.name for entry in directory.iterdir())),
            key=lambda name: (name != SPEC_FILE, name),
        )
    except OSError:
        return []
    return [directory / name for name in names if (directory / name).is_file()]


def spec_paths(given: Path | None, app: str = "") -> list[Path]:
    """Returns the given file, or all infraspecs of the given directory (by default, the current one).

    If one of several infraspecs is that of `app`, only that one is returned. Raises Usage if the file, or an infraspec
    in the directory, does not exist.
    """
    path = given or Path()
    files = (spec_files(path) or [path / SPEC_FILE]) if path.is_dir() else [path]
    if not files[0].exists():
        raise Usage(f"there is no {files[0]}", hint="norn init writes one")
    if app and len(files) > 1:
        return [file for file in files if app_of(read_spec(file)) == app] or files
    return files


def read_spec(path: Path) -> str:
    """Reads an infraspec; raises CliError if it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            content = file.read(SPEC_MAX + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CliError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from error
    if len(content) > SPEC_MAX:
        raise CliError(f"{path} is over {SPEC_MAX // 1024} KiB, which no infraspec may be")
    return text


def app_of(text: str) -> str:
    """Returns the value of an infraspec's `app`; empty if the text has none or is not YAML."""
    name = values_of(text).get("app")
    return name if isinstance(name, str) else ""


def values_of(text: str) -> dict[str, Any]:
    """Returns the fields of an infraspec without checking them, which only the server does; no fields if the text is
    not YAML.
    """
    import yaml

    try:
        spec = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return spec if isinstance(spec, dict) else {}


def is_path(word: str) -> bool:
    """Returns True if the text can only be a path, and not an app's name."""
    return "/" in word or word in (".", "..")


def named_app(option: str) -> str:
    """Returns the app that `--app` or `NORN_APP` names; empty if neither is given."""
    return option or os.environ.get("NORN_APP", "")
