"""Infraspecs as such: checking a text, and the schema for editors."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun, text_body
from norn_api.replies import reply
from norn_api.request import current
from norn_api.schemas.apps import FileQuery, SpecAsked, Validity
from norn_api.schemas.common import AppPath, Json, MistakeAnswer
from norn_tasks.domain.errors import Mistake, SpecInvalid
from norn_tasks.domain.infraspec import MAX_BYTES, Infraspec, decode, json_schema, notices, parse

YAML = ("text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml", "text/plain")
SPEC_BODY = text_body("The text of an infraspec.yaml", "text/yaml", "application/yaml", "text/plain")
api = noun("specs", "Infraspecs: checking one, and their schema")


def read_spec(file: str) -> str:
    """Answers the infraspec's text in the request's body, sent as YAML or in JSON; raises SpecInvalid."""
    asked = current()
    if asked.mimetype == "application/json":
        return asked.asked(SpecAsked).infraspec
    return decode(asked.raw(MAX_BYTES, YAML), file)


def _validity(file: str, name: str | None) -> Validity:
    try:
        spec = parse(read_spec(file), file)
        mistakes = named(spec, name, file) if name is not None else ()
    except SpecInvalid as error:
        return Validity(valid=False, mistakes=_told(error.mistakes), notices=[], spec=None)
    return Validity(valid=not mistakes, mistakes=_told(mistakes), notices=list(notices(spec)), spec=spec.to_json())


def named(spec: Infraspec, name: str, file: str) -> tuple[Mistake, ...]:
    """Answers the mistake of a spec that is another app's than the address says."""
    if spec.app == name:
        return ()
    sentence = f"the spec says {spec.app}, the address says {name[:80]}"
    return (Mistake(file, 1, 1, "app", sentence, f"write app: {name[:80]}, or use the address of {spec.app}"),)


def _told(mistakes: tuple[Mistake, ...]) -> list[MistakeAnswer]:
    return [MistakeAnswer.model_validate(mistake) for mistake in mistakes]


@api.post("/api/validate", responses=answers(Validity), request_body=SPEC_BODY)
def validate(query: FileQuery) -> Response:
    """Checks an infraspec and tells every mistake with its line and column; 200 also when it has some."""
    return reply(_validity(query.file, None))


@api.post("/api/apps/<app>/validate", responses=answers(Validity), request_body=SPEC_BODY)
def validate_for_app(path: AppPath, query: FileQuery) -> Response:
    """Checks an infraspec as the named app's."""
    return reply(_validity(query.file, path.app))


@api.get("/api/schema/infraspec", responses={"200": {"description": "A JSON Schema (2020-12)"}})
def get_schema() -> Json:
    """Answers the JSON Schema of infraspec.yaml, for editors."""
    return json_schema()
