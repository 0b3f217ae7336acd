"""Why an app is not as it should be: its live release, its last failures, and what helps."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.common import AppPath
from norn_api.schemas.why import ReasonResponse, WhyResponse
from norn_api.services import norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import reply
from norn_api.web.statuses import app_members
from norn_tasks.domain.jobs.app_status import way_on
from norn_tasks.store.status import apps, problems
from norn_tasks.store.status.apps import AppView

api = noun("why", "Why an app is not as it should be")


@api.get("/api/apps/<app>/why", responses=responses_of(WhyResponse))
def get_why(path: AppPath) -> Response:
    """Returns an app's live release and its last failures, each with its step, cause, last lines and hint."""
    services = norn()
    with services.database.transaction() as tx:
        app = apps.one(tx, services.settings.apps_dir, path.app)
        reasons = [ReasonResponse.model_validate(reason) for reason in problems.reasons(tx, app)]
    members = app_members(services.settings, app)
    shown = {name: members[name] for name in WhyResponse.model_fields if name in members}
    return reply(WhyResponse(**shown, sentence=_sentence(app), reasons=reasons, hint=way_on(app.name, app.state)))


_NEVER_LIVE = {
    "never deployed": "was never deployed",
    "deploy failed": "was never live, and its last deploy failed",
}


def _sentence(app: AppView) -> str:
    live = f"release {app.live.release} is live" if app.live is not None else "no release is live"
    counted = f", {app.ready or 0} of {app.wanted} ready" if app.live is not None and app.wanted is not None else ""
    if app.state in _NEVER_LIVE:
        return f"{app.name} {_NEVER_LIVE[app.state]}"
    return f"{app.name} is {app.state}: {live}{counted}"
