"""Random requests generated from the OpenAPI document: no response is a 5xx, and each one is documented.

Every run tries a few per operation; NORN_FUZZ_EXAMPLES sets a larger number.
"""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api, add_cron_run

EXAMPLES = int(os.environ.get("NORN_FUZZ_EXAMPLES", "4"))
SLOW = ("stream_events", "follow_job", "invoke", "get_logs", "run_in_replica")
"""Operations that wait for events, workers or replicas."""
schemathesis.serializer.alias(["application/gzip", "application/x-gzip", "application/x-tar+gzip"],
                              "application/octet-stream")  # fmt: skip
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def furnish(database: Database) -> None:
    """Makes one app of each role under the names that the document shows."""
    for name, role in (("blog", "webserver"), ("daily-report", "cron"), ("thumbnail-gen", "function")):
        shared.add_live(database, name, role)
    add_cron_run(database, "daily-report", id=42)


def complaints(operation: Any, mode: GenerationMode) -> str:
    """Tries an operation with generated requests; returns the errors in responses, if there are any."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def tried(case: Case) -> None:
        case.query.pop("fresh", None) if case.query else None
        case.call_and_validate(checks=CHECKS)

    try:
        tried()
    except Unsatisfiable:
        return ""  # an operation without parameters and body has no wrong request
    except (schemathesis.errors.SchemathesisError, ExceptionGroup, AssertionError) as error:
        return f"{operation.label}: {error}"
    return ""


def test_no_made_up_request_is_answered_other_than_documented(database: Database) -> None:
    api: Api = factories.api(database, auth="off")
    furnish(database)
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", api.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    tried = [one for one in operations if one.definition.raw["operationId"] not in SLOW]
    found = [complaint for one in tried for mode in GenerationMode if (complaint := complaints(one, mode))]
    api.services.close()
    assert found == []
