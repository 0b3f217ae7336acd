"""`python -m norn_tasks.domain`: the program behind `norn validate`, `norn schema` and `norn init`. It uses no server
and no network.

Results go to stdout. The exit status is 0 for success and 2 for wrong arguments. It is 1 for a mistake in a file, and
for an infraspec that exists already or cannot be written.
"""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import yaml

from norn_tasks.domain.errors import InvalidRequest, Mistake, SpecInvalid
from norn_tasks.domain.infraspec import FILE_NAME, MAX_BYTES, Role, decode, json_schema, notices, parse, spec_names
from norn_tasks.domain.infraspec.starter import starter_dockerfile, starter_spec
from norn_tasks.domain.infraspec.yaml.positions import FILE_ITSELF, dotted
from norn_tasks.domain.starters import IGNORED, Directory, Project, read_directory, recognised

_ELSEWHERE = "name another directory: norn init DIR"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status."""
    chosen = _parser().parse_args(arguments)
    match chosen.command:
        case "validate":
            return _validate(chosen)
        case "schema":
            print(_dumped(json_schema(), chosen.output))
            return 0
        case _:
            return _init(chosen)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m norn_tasks.domain", description="Check, describe and begin infraspecs, without a server."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="report every mistake in these files")
    validate.add_argument("files", nargs="+", metavar="FILE", help="an infraspec, or a directory of infraspecs")
    validate.add_argument(
        "--output",
        choices=["json", "yaml", "name"],
        help="json or yaml: one report; name: only the names of the valid files",
    )
    schema = commands.add_parser("schema", help="print the JSON Schema")
    schema.add_argument("--output", choices=["json", "yaml"], default="json")
    init = commands.add_parser("init", help="write a first infraspec and, if there is none, a Dockerfile")
    init.add_argument("--role", required=True, choices=[role.value for role in Role])
    init.add_argument("--app", required=True, metavar="NAME")
    init.add_argument("--dir", default=".", metavar="DIRECTORY")
    return parser


def _validate(chosen: Namespace) -> int:
    mistakes: list[Mistake] = []
    remarks: list[str] = []
    good: list[str] = []
    for files in map(_files_of, chosen.files):
        apps: dict[str, str] = {}
        for name in files:
            try:
                spec = parse(_text(name), name)
                _require_own(spec.app, name, apps)
                remarks += [f"{name}: {notice}" for notice in notices(spec)]
                good.append(name)
            except SpecInvalid as wrong:
                mistakes += wrong.mistakes
    if chosen.output in ("json", "yaml"):
        report = {"valid": not mistakes, "mistakes": [asdict(mistake) for mistake in mistakes], "notices": remarks}
        print(_dumped(report, chosen.output))
    elif chosen.output == "name":
        _print_lines(mistakes, [], to=sys.stderr)
        print(*good, sep="\n", end="\n" if good else "")
    else:
        _print_lines(mistakes, [*(f"note: {remark}" for remark in remarks), *(f"{name}: valid" for name in good)])
    return 1 if mistakes else 0


def _dumped(value: dict[str, Any], form: str) -> str:
    return yaml.safe_dump(value, sort_keys=False).rstrip() if form == "yaml" else json.dumps(value, indent=2)


def _files_of(name: str) -> list[str]:
    """Returns the named file, or the infraspecs in the named directory."""
    directory = Path(name)
    if not directory.is_dir():
        return [name]
    try:
        found = spec_names(entry.name for entry in directory.iterdir() if entry.is_file())
    except OSError:
        found = []
    return [str(directory / each) for each in found or [FILE_NAME]]


def _require_own(app: str, name: str, apps: dict[str, str]) -> None:
    """Raises SpecInvalid if another infraspec of the directory has the same app; else records this one in `apps`."""
    other = apps.setdefault(app, name)
    if other != name:
        sentence = f"{app} is also the name of {Path(other).name}"
        raise SpecInvalid((Mistake(name, 1, 1, "app", sentence, "give each app a name of its own"),))


def _text(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            return decode(file.read(MAX_BYTES + 1), name)
    except OSError as wrong:
        hint = f"norn init writes a first {FILE_NAME}"
        mistake = Mistake(name, 1, 1, dotted(FILE_ITSELF), f"the file cannot be read: {wrong.strerror}", hint)
        raise SpecInvalid((mistake,)) from None


def _print_lines(mistakes: list[Mistake], remarks: list[str], to: TextIO | None = None) -> None:
    for mistake in mistakes:
        print(mistake, file=to)
        if mistake.hint:
            print(f"  hint: {mistake.hint}", file=to)
    for remark in remarks:
        print(remark, file=to)


def _init(chosen: Namespace) -> int:
    directory, role = Path(chosen.dir), Role(chosen.role)
    try:
        found = read_directory(directory)
        project = recognised(found)
        spec = starter_spec(chosen.app, role, project or _of_dockerfile(found))
        dockerfile = project.dockerfile if project else starter_dockerfile(chosen.app, role)
        directory.mkdir(parents=True, exist_ok=True)
        if not _write_new(directory / FILE_NAME, spec):
            return _complain(f"{directory / FILE_NAME} is there already", f"edit it, or {_ELSEWHERE}")
        if not _write_new(directory / "Dockerfile", dockerfile):
            print(f"kept {directory / 'Dockerfile'}, which was there already")
        elif project is not None:
            _write_new(directory / ".dockerignore", IGNORED)
            print(
                f"This looks like {project.kind} ({project.by}). Check the Dockerfile, then: norn deploy {chosen.dir}"
            )
        elif found.texts:
            print("note: nothing here was recognised; the Dockerfile is an example, and runs none of these files")
    except InvalidRequest as wrong:
        print(wrong.rendered, file=sys.stderr)
        return 1
    except OSError as wrong:
        return _complain(f"{directory} cannot be written: {wrong.strerror}", _ELSEWHERE)
    return 0


def _of_dockerfile(found: Directory) -> Project | None:
    """Returns a project with the first port that an existing Dockerfile exposes; None if the Dockerfile exposes no
    port.
    """
    exposed = re.search(r"^EXPOSE\s+(\d+)", found.text("Dockerfile"), re.MULTILINE)
    return Project("", "Dockerfile", "", int(exposed[1])) if exposed else None


def _write_new(path: Path, text: str) -> bool:
    """Writes a new file; returns False if it exists already."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    print(f"wrote {path}")
    return True


def _complain(sentence: str, hint: str) -> int:
    print(f"error: {sentence}\nhint: {hint}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
