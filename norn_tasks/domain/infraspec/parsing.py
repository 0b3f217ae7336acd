"""The front door: text in, `Infraspec` out, or every mistake at once with its line and column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NoReturn

from norn_tasks.domain.errors import Mistake, SpecInvalid
from norn_tasks.domain.infraspec.fields import unknown_keys
from norn_tasks.domain.infraspec.later import not_yet
from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.places import FILE_ITSELF, Finding, Places, Spot, beneath
from norn_tasks.domain.infraspec.roles import misplaced, missing
from norn_tasks.domain.infraspec.rules import contradictions
from norn_tasks.domain.infraspec.validation import take_out, validate
from norn_tasks.domain.infraspec.yaml_text import MAX_BYTES, Document, read_document

FILE_NAME = "infraspec.yaml"
MOST_MISTAKES = 100
"""A file that is something else altogether has one mistake a line; nobody reads more than this."""


def parse(text: str, file: str = FILE_NAME) -> Infraspec:
    """Return the spec that a text means.

    Raises `SpecInvalid` with all mistakes at once, in the order of the file; `file` is the name they give.
    """
    document = read_document(text, file)
    if document.value is None:
        _refuse(document.mistakes)
    spec, findings = _examine(document, document.value)
    if findings or document.mistakes:
        _refuse([*document.mistakes, *map(document.places.mistake, findings)])
    return spec


def decode(content: bytes, file: str = FILE_NAME) -> str:
    """Return the text of a file's bytes; raises `SpecInvalid` when they are no UTF-8, or too many."""
    places = Places(file)
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
    """Return the spec that `to_json` froze.

    Fields are read strictly, as in a file; whether a feature is there yet, and what a role can use, is not asked again:
    what was accepted once stays readable. Raises `SpecInvalid`.
    """
    spec, findings = validate(dict(value))
    if findings:
        _refuse(map(Places("stored spec").mistake, findings))
    return spec


def _examine(document: Document, value: dict[str, Any]) -> tuple[Infraspec, list[Finding]]:
    """Ask everything that can be asked of what was read; what is refused already is not asked about again."""
    # Guessing costs time for each key; whatever is left is refused by the model, without a guess.
    findings = list(islice(unknown_keys(value), MOST_MISTAKES))
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
        for finding in (*not_yet(spec), *contradictions(spec))
        if not any(beneath(path, wrong) for path in (finding.path, *finding.given))
    ]
    return spec, findings


def _refuse(mistakes: Iterable[Mistake]) -> NoReturn:
    in_order = sorted(mistakes, key=lambda mistake: (mistake.line, mistake.column))
    raise SpecInvalid(tuple(in_order[:MOST_MISTAKES]))
