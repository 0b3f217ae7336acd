"""Infraspecs: checking one, listing those that were applied, and their schema for editors."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.apps import AppliedSpecResponse, FileQuery, SecretsCheck, SpecRequest, Validity
from norn_api.schemas.common import AppPath, ListOf, ListQuery, MistakeResponse
from norn_api.services import norn, turn
from norn_api.web.openapi import noun, responses_of, text_body
from norn_api.web.replies import listed, reply
from norn_api.web.request import current
from norn_tasks.domain.errors import Mistake, SpecInvalid
from norn_tasks.domain.infraspec import MAX_BYTES, Infraspec, decode, from_json, json_schema, notices, parse
from norn_tasks.domain.stored import Json
from norn_tasks.store.apps import history, secrets
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.releases import releases
from norn_tasks.store.status import apps

YAML = ("text/yaml", "application/yaml", "application/x-yaml", "text/x-yaml", "text/plain")
SPEC_BODY = text_body("The text of an infraspec.yaml", "text/yaml", "application/yaml", "text/plain")
api = noun("specs", "Infraspecs: checking one, and their schema")


def read_spec(file: str) -> str:
    """Returns the text of the infraspec in the body, sent as YAML or in JSON; raises SpecInvalid."""
    asked = current()
    if asked.mimetype == "application/json":
        return asked.asked(SpecRequest).infraspec
    return decode(asked.raw(MAX_BYTES, YAML), file)


def parsed(file: str) -> Infraspec:
    """Returns the infraspec in the body; raises SpecInvalid. Parsing keeps a core busy, so requests take turns."""
    text = read_spec(file)
    with turn():
        return parse(text, file)


def _validity(file: str, name: str | None) -> Validity:
    try:
        spec = parsed(file)
        mistakes = named(spec, name, file) if name is not None else ()
    except SpecInvalid as error:
        return Validity(valid=False, mistakes=_told(error.mistakes), notices=[], spec=None)
    compared = _secrets_check(spec) if name is not None and not mistakes else None
    return Validity(
        valid=not mistakes,
        mistakes=_told(mistakes),
        notices=list(notices(spec)),
        spec=spec.to_json(),
        secrets=compared,
    )


def _secrets_check(spec: Infraspec) -> SecretsCheck:
    """Returns the secrets that would be missing or unused if this were the app's infraspec."""
    with norn().database.transaction() as tx:
        there = {each.name for each in secrets.listed(tx, spec.app)}
        live = releases.live(tx, spec.app)
    serving = from_json(live["spec"]) if live is not None else spec
    used = {name for one in (spec, serving) for name in (*one.secrets, *one.services.credentials())}
    missing = [name for name in spec.secrets if name not in there]
    return SecretsCheck(missing=sorted(missing), unused=sorted(there - used))


def named(spec: Infraspec, name: str, file: str) -> tuple[Mistake, ...]:
    """Returns one mistake if the spec belongs to an app other than `name`, which the address names; else an empty
    tuple.
    """
    if spec.app == name:
        return ()
    sentence = f"the spec says {spec.app}, the address says {name[:80]}"
    return (Mistake(file, 1, 1, "app", sentence, f"write app: {name[:80]}, or use the address of {spec.app}"),)


def _told(mistakes: tuple[Mistake, ...]) -> list[MistakeResponse]:
    return [MistakeResponse.model_validate(mistake) for mistake in mistakes]


@api.post("/api/validate", responses=responses_of(Validity), request_body=SPEC_BODY)
def validate(query: FileQuery) -> Response:
    """Checks an infraspec and returns every mistake with its line and column; the status is 200 in any case."""
    return reply(_validity(query.file, None))


@api.post("/api/apps/<app>/validate", responses=responses_of(Validity), request_body=SPEC_BODY)
def validate_for_app(path: AppPath, query: FileQuery) -> Response:
    """Checks an infraspec for the named app, and compares the secrets that it names with those that are set."""
    return reply(_validity(query.file, path.app))


@api.get("/api/apps/<app>/specs", responses=responses_of(ListOf[AppliedSpecResponse]))
def list_specs(path: AppPath, query: ListQuery) -> Response:
    """Lists the infraspecs that were applied to an app, newest first; the list is empty for an app that has a directory
    in NORN_APPS_DIR.
    """
    with norn().database.transaction() as tx:
        apps.record(tx, norn().settings.apps_dir, path.app)
        page = history.applied(tx, path.app, Cut(query.limit, query.after))
    return listed(AppliedSpecResponse, page)


@api.get("/api/schema/infraspec", responses={"200": {"description": "A JSON Schema (2020-12)"}})
def get_schema() -> Json:
    """Returns the JSON Schema of infraspec.yaml, for editors."""
    return json_schema()
