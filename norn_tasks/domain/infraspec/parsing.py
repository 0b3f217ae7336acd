"""Parses an `infraspec.yaml`: returns an `Infraspec`, or reports every mistake at once with its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NoReturn

from norn_tasks.domain.errors import Mistake, SpecInvalid
from norn_tasks.domain.infraspec.fields import unknown_keys
from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.roles import misplaced, missing
from norn_tasks.domain.infraspec.rules import contradictions
from norn_tasks.domain.infraspec.validation import take_out, validate
from norn_tasks.domain.infraspec.yaml.positions import FILE_ITSELF, Finding, SourceMap, Spot, beneath
from norn_tasks.domain.infraspec.yaml.text import MAX_BYTES, Document, read_document
from norn_tasks.domain.names import APP_NAME

FILE_NAME = "infraspec.yaml"
_SPEC_FILE = re.compile(r"infraspec(?:\.[a-zA-Z0-9_-]{1,60})?\.yaml", re.ASCII)
_APP = re.compile(rb"(?m)^app:[ \t]*[\"']?(" + APP_NAME.encode() + rb")[\"']?[ \t]*(?:#.*)?\r?$")
MOST_MISTAKES = 100
"""The most mistakes that are reported. A file that is no infraspec might have one in each line."""


_STAND_IN = {"app": "app", "role": "worker"}


def spec_names(names: Iterable[str]) -> list[str]:
    """Returns the names, out of a directory's file names, that an infraspec may have; `infraspec.yaml` is first.

    A source may hold several infraspecs: `infraspec.yaml` and `infraspec.<name>.yaml`, with one app in each.
    """
    return sorted(filter(_SPEC_FILE.fullmatch, names), key=lambda name: (name != FILE_NAME, name))


def app_named(content: bytes) -> str:
    """Returns the app that an infraspec names, even if other parts have mistakes; empty if it names none."""
    said = _APP.search(content)
    return said[1].decode() if said else ""


def parse(text: str, file: str = FILE_NAME) -> Infraspec:
    """Parses the text of an infraspec.

    Raises `SpecInvalid` with all mistakes, in the order of the file; each mistake names the file `file`.
    """
    document = read_document(text, file)
    if document.value is None:
        _refuse(document.mistakes)
    spec, findings = _examine(document, document.value)
    if findings or document.mistakes:
        _refuse([*document.mistakes, *map(document.places.mistake, findings)])
    return spec


def decode(content: bytes, file: str = FILE_NAME) -> str:
    """Returns the text of a file's bytes; raises `SpecInvalid` if they are not UTF-8 or too many."""
    places = SourceMap(file)
    if len(content) > MAX_BYTES:
        _refuse(
            [places.mistake(Finding(FILE_ITSELF, f"the file is over {MAX_BYTES} bytes", "keep data out of the spec"))]
        )
    try:
        return content.decode()
    except UnicodeDecodeError as wrong:
        before = content[: wrong.start].decode().split("\n")
        places.values[FILE_ITSELF] = Spot(len(before), len(before[-1]) + 1)
        message = f"the byte 0x{content[wrong.start]:02x} is not UTF-8"
        _refuse([places.mistake(Finding(FILE_ITSELF, message, "save the file as UTF-8"))])


def from_json(value: Mapping[str, Any]) -> Infraspec:
    """Returns the spec that `to_json` stored; raises `SpecInvalid` if a field in it is not valid.

    Fields are read strictly, as in a file. Contradictions between fields, and fields that the role cannot use, are not
    checked again, so that a spec that was accepted once remains readable.
    """
    spec, findings = validate(dict(value))
    if findings:
        _refuse(map(SourceMap("stored spec").mistake, findings))
    return spec


def _examine(document: Document, value: dict[str, Any]) -> tuple[Infraspec, list[Finding]]:
    """Runs every check on the values that could be read; values with a known mistake are not checked again."""
    findings = list(islice(unknown_keys(value), MOST_MISTAKES))
    if len(findings) == MOST_MISTAKES:  # nobody reads more, and further checks would take time
        return validate(dict(_STAND_IN))[0], findings
    written = tuple(value)
    for path in (*(finding.path for finding in findings), *document.broken):
        take_out(value, path)
    spec, refused = validate(value, document.broken)
    findings += refused
    wrong = {*document.broken, *(finding.path for finding in refused)}
    if ("role",) not in wrong:
        out_of_place = list(misplaced(written, spec.role))
        findings += [*out_of_place, *missing(written, spec.role)]
        wrong |= {finding.path for finding in out_of_place}
    findings += [
        finding
        for finding in contradictions(spec)
        if not any(beneath(path, wrong) for path in (finding.path, *finding.given))
    ]
    return spec, findings


def _refuse(mistakes: Iterable[Mistake]) -> NoReturn:
    in_order = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column))
    raise SpecInvalid(tuple(in_order[:MOST_MISTAKES]))
