"""Plans: the changes that a forge and a deploy of an app would make."""

from __future__ import annotations

from flask import Response

from norn_api.routes.apps.specs import SPEC_BODY, named, parsed
from norn_api.schemas.apps import FileQuery
from norn_api.schemas.common import AppPath
from norn_api.schemas.plans import PlannedChange, PlannedCreation, PlanResponse
from norn_api.services import norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import reply
from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.store.status import plans

api = noun("plans", "The changes that a forge and a deploy would make")


def _plan(app: str, spec: Infraspec | None) -> Response:
    services = norn()
    with services.database.transaction() as tx:
        plan = plans.of(tx, services.settings.apps_dir, app, spec)
    creates = [PlannedCreation(part=part, what=what) for part, what in plan.creates]
    changes = [PlannedChange.model_validate(change) for change in plan.changes]
    shown = {name: getattr(plan, name) for name in ("name", "changed", "makes_release", "live_release", "blockers")}
    return reply(PlanResponse(**shown, creates=creates, changes=changes))


@api.get("/api/apps/<app>/plan", responses=responses_of(PlanResponse))
def get_plan(path: AppPath) -> Response:
    """Returns the changes that a forge and a deploy of the registered infraspec would make."""
    return _plan(path.app, None)


@api.post("/api/apps/<app>/plan", responses=responses_of(PlanResponse), request_body=SPEC_BODY)
def plan_of_spec(path: AppPath, query: FileQuery) -> Response:
    """Returns the changes that a forge and a deploy of this infraspec would make; the app need not exist yet."""
    spec = parsed(query.file)
    mistakes = named(spec, path.app, query.file)
    if mistakes:
        raise SpecInvalid(mistakes)
    return _plan(path.app, spec)
