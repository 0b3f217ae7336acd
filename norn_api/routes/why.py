"""Why an app is not as it should be: what is live, what went wrong last, and what helps."""

from __future__ import annotations

from flask import Response

from norn_api.openapi import answers, noun
from norn_api.replies import reply
from norn_api.schemas.common import AppPath
from norn_api.schemas.why import ReasonAnswer, WhyAnswer
from norn_api.services import norn
from norn_api.statuses import app_members
from norn_tasks.domain.app_status import way_on
from norn_tasks.store import apps_read, why
from norn_tasks.store.apps_read import SeenApp

api = noun("why", "Why an app is not as it should be")


@api.get("/api/apps/<app>/why", responses=answers(WhyAnswer))
def get_why(path: AppPath) -> Response:
    """Tells what is live of an app, and what went wrong last: where, why, with its last lines and the way out."""
    services = norn()
    with services.database.transaction() as tx:
        app = apps_read.one(tx, services.settings.apps_dir, path.app)
        reasons = [ReasonAnswer.model_validate(reason) for reason in why.reasons(tx, app)]
    members = app_members(services.settings, app)
    told = {name: members[name] for name in WhyAnswer.model_fields if name in members}
    return reply(WhyAnswer(**told, sentence=_sentence(app), reasons=reasons, hint=way_on(app.name, app.state)))


def _sentence(app: SeenApp) -> str:
    live = f"release {app.live.release} is live" if app.live is not None else "nothing is live"
    counted = f", {app.ready or 0} of {app.wanted} ready" if app.live is not None and app.wanted is not None else ""
    return f"{app.name} is {app.state}: {live}{counted}"
