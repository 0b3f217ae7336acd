"""The OpenAPI document: operation ids, tags, and the problems that every operation may return."""

from __future__ import annotations

import re
from typing import Any

from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.info import Info
from flask_openapi.models.tag import Tag
from flask_openapi.openapi import OpenAPI
from pydantic import BaseModel

from norn_api.access.auth import HEADER
from norn_api.access.permissions import TABLE
from norn_api.schemas.common import ProblemDetails

VERSION = "3.1.0"
PROBLEM = {
    "description": "A problem (RFC 9457): `code` is stable, `detail` says what is wrong, `hint` what to do about it",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
}
REFUSALS = ("400", "401", "403", "404", "409", "413", "414", "415", "422", "429", "431", "503", "507")
"""The statuses with which any operation may refuse a request (docs/errors.md). A 500 is a defect instead."""
Answers = dict[str | int, Any]


def noun(name: str, about: str) -> APIBlueprint:
    """Makes the blueprint of one group of routes. An operation's id is its function's name, its summary the docstring's
    first line."""
    return APIBlueprint(
        name,
        __name__,
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{"token": []}],
        abp_responses={"422": dict(PROBLEM)},
        operation_id_callback=lambda *, name, path, method: name,
    )


def responses_of(model: type[BaseModel] | None, status: int = 200, **more: Any) -> Answers:
    """Documents the successful response of an operation."""
    return {status: model, **{str(code).lstrip("_"): what for code, what in more.items()}}


def text_response(about: str, content_type: str = "text/plain") -> Answers:
    """Documents a response that is not one JSON value. Only plain text has a schema, because the schema of a stream
    would describe one chunk.
    """
    shape = {"schema": {"type": "string"}} if content_type.startswith("text/plain") else {}
    return {"200": {"description": about, "content": {content_type: shape}}}


def text_body(about: str, *content_types: str, required: bool = True) -> dict[str, Any]:
    """Documents a body that is not one JSON object."""
    kinds = {kind: {"schema": {"type": "string"}} for kind in content_types}
    return {"description": about, "required": required, "content": kinds}


def file_body(about: str, *content_types: str) -> dict[str, Any]:
    """Documents a body that is a file."""
    kinds = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in content_types}
    return {"description": about, "required": True, "content": kinds}


def document(version: str) -> dict[str, Any]:
    """Returns the arguments for an application that serves Norn's document and none of the library's pages."""
    return {
        "info": Info(title="Norn", version=version, description="Runs small apps from their infraspec.yaml."),
        "security_schemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "norn_session_8800",
                "description": "A browser that is signed in; the name ends with the server's NORN_PORT",
            },
            "csrf": {"type": "apiKey", "in": "header", "name": HEADER, "description": "The session's second secret"},
        },
        "doc_ui": False,
        "validation_error_status": 422,
    }


def finish(app: OpenAPI) -> None:
    """Adds the shared schemas to the document, and the scope and the refusals to each operation; marks a body as
    optional if all its fields have defaults.
    """
    app.openapi_version = VERSION
    app.components_schemas.update(_shapes(ProblemDetails))
    spec = app.api_doc
    spec["components"]["schemas"].pop("ValidationErrorModel", None)
    spec["components"]["responses"] = {"Problem": PROBLEM}
    for address, item in spec["paths"].items():
        for method, operation in item.items():
            _optional_body(operation, spec["components"]["schemas"])
            _document_scope(operation, method, address)
            _document_refusals(operation)


def _document_scope(operation: dict[str, Any], method: str, address: str) -> None:
    """Documents the scope that the operation requires, or that it requires no token."""
    needed = next(what for (verb, rule), what in TABLE.items() if (verb, _written(rule)) == (method.upper(), address))
    operation["security"] = [] if needed.open or needed.signed else [{"token": []}, {"session": [], "csrf": []}]
    if needed.scope is not None:
        operation["x-norn-scope"] = str(needed.scope)


def _document_refusals(operation: dict[str, Any]) -> None:
    """Documents each status of a refusal that the operation does not document itself."""
    said = {status: answer for status, answer in operation["responses"].items() if answer != PROBLEM}
    shared = {status: {"$ref": "#/components/responses/Problem"} for status in REFUSALS if status not in said}
    operation["responses"] = said | shared


def _written(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _shapes(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    inner = schema.pop("$defs", {})
    return {model.__name__: schema, **inner}


def _optional_body(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    if reference and not schemas[reference.rsplit("/", 1)[1]].get("required"):
        operation["requestBody"]["required"] = False
