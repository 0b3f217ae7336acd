"""Sends random requests, generated from the OpenAPI document, to a server that has everything that the document's
examples name.
"""

from __future__ import annotations

from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.furnished import Speaker, example

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
OWN_CODES = ("function_failed", "not_runnable", "oom_killed", "output_too_large", "timed_out", "no_capacity")
"""Codes of errors that the app itself causes (docs/errors.md)."""

ENDLESS = ("stream_events", "stream_page")
"""Operations whose response never ends."""

LAST = (
    "scale",
    "restart",
    "rollback",
    "deploy",
    "forge",
    "teardown",
    "delete_forge",
    "delete_app",
    "revoke_token",
    "delete_session",
    "revoke_session",
    "remove_webhook",
    "remove_login",
)
"""Operations that remove things which other requests need."""


@schemathesis.serializer("application/gzip", "application/x-gzip", "application/x-tar+gzip")
def packed(_: Any, value: Any) -> bytes:
    """Sends the generated value unchanged; it is hardly ever a valid archive."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


class Fuzzer:
    """Tries every operation as one kind of user, with `examples` requests of each mode."""

    def __init__(self, speaker: Speaker, headers: dict[str, str], examples: int) -> None:
        self._url, self._headers, self._examples = speaker.stack.url, headers, examples
        self._answered = speaker.answered
        self._schema = schemathesis.openapi.from_dict(speaker.document)
        self._session = requests.Session()
        self.sent = 0

    def complaints(self) -> list[str]:
        """Returns the errors that were found in responses."""
        found = [one.ok() for one in self._schema.get_all_operations()]
        tried = [one for one in found if one.definition.raw["operationId"] not in ENDLESS]
        tried.sort(key=lambda one: one.definition.raw["operationId"] in LAST)
        return [wrong for one in tried for mode in GenerationMode if (wrong := self._tried(one, mode))]

    def _tried(self, operation: Any, mode: GenerationMode) -> str:
        known = {
            parameter["name"]: example(parameter)
            for parameter in operation.definition.raw.get("parameters", [])
            if parameter["in"] == "path"
        }

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=self._examples, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def try_one(case: Case) -> None:
            if mode is GenerationMode.POSITIVE:
                case.path_parameters = dict(known)  # existing names, so that the rest of the request is reached
            self._answered[operation.definition.raw["operationId"]].add(self._send(case))

        try:
            try_one()
        except Unsatisfiable:
            return ""  # an operation without parameters and body has no wrong request
        except (schemathesis.errors.SchemathesisError, ExceptionGroup, AssertionError) as error:
            return f"{operation.label}: {'; '.join(_told(error))}"
        return ""

    def _send(self, case: Case) -> int:
        if case.query:
            case.query.pop("fresh", None)
            case.query.pop("follow", None)
        answer = case.call(base_url=self._url, session=self._session, headers=self._headers, timeout=60)
        self.sent += 1
        if answer.status_code == 414:
            return 414  # the HTTP server refuses a request line of over 4,094 bytes before Norn sees it (docs/api.md)
        if answer.status_code >= 500:
            told = answer.json()
            assert 502 <= answer.status_code <= 504 and told["code"] in OWN_CODES, f"{answer.status_code} {told}"
        case.validate_response(answer, checks=CHECKS)
        return answer.status_code


def _told(error: BaseException) -> list[str]:
    """Returns the errors and how to reproduce them, without the complete request."""
    if isinstance(error, BaseExceptionGroup):
        return [told for each in error.exceptions for told in _told(each)]
    return [f"{type(error).__name__}: {str(error)[:600]}"]
