"""An app's logs: the lines of its replicas, including replicas that are gone, or of its last run or call."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Response, request

from norn_api.schemas.apps import LogsQuery
from norn_api.schemas.common import AppPath
from norn_api.services import actor, holder, norn
from norn_api.streaming.live_reading import LiveReading
from norn_api.web.openapi import noun, text_response
from norn_api.web.streams import NDJSON, SignOfLife, Source, source, streamed
from norn_tasks.dispatch import request_logs
from norn_tasks.domain.app_logs.pattern import compiled
from norn_tasks.domain.app_logs.times import parse_time
from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.infraspec import Role
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.store.broker.live import LiveLine
from norn_tasks.store.database.pages import Cut
from norn_tasks.store.database.session import Tx
from norn_tasks.store.releases import releases
from norn_tasks.store.runs import runs_read
from norn_tasks.store.status import apps

TEXT = "text/plain; charset=utf-8"

Shape = Callable[[LiveLine], str]
api = noun("logs", "Logs of apps")


@api.get("/api/apps/<app>/logs", responses=text_response("Lines of the form `replica | line`"))
def get_logs(path: AppPath, query: LogsQuery) -> Response:
    """Returns an app's last lines as text (`replica | line`) or (Accept: application/x-ndjson) as JSON lines.

    They include the kept lines of replicas that are gone, also of earlier releases. For a cron app or a function they
    are the lines of its last run or call.
    """
    wants_json = NDJSON in request.headers.get("Accept", "")
    shape, kind = (_json_line, NDJSON) if wants_json else (_timed if query.timestamps else _plain, TEXT)
    wanted = _wanted(query)
    with norn().database.transaction() as tx:
        app = apps.one(tx, norn().settings.apps_dir, path.app)
        if app.role in (Role.CRON, Role.FUNCTION):
            _require_plain(app.name, app.role, wanted)
            lines = _last_output(tx, app.name, app.role)[-query.tail :] if query.tail else []
            return Response([shape(LiveLine("", *line)) for line in lines], content_type=kind)
        if app.live is None and not _asks_for_kept(wanted):
            raise releases.none_yet(tx, app.name)
    work = request_logs(norn().intake, path.app, wanted, actor=actor().name, holder=holder())
    here, reading = source(), LiveReading(norn().live, norn().database, work.job)
    reading.first()
    return streamed(_replica_lines(here, reading, shape, SignOfLife(kind)), kind, here.connection)


def _wanted(query: LogsQuery) -> ReadLogsJobRequest:
    """Returns the query as a request to a worker; raises InvalidRequest, which names the wrong parameter."""
    now = time.time()
    since = None if query.since is None else parse_time(query.since, now, "since")
    until = None if query.until is None else parse_time(query.until, now, "until")
    if since is not None and until is not None and until <= since:
        raise InvalidRequest(
            "until: it is not after since", hint="a duration counts back from now: --since 2h --until 1h"
        )
    for name in ("until", "previous"):
        if query.follow and getattr(query, name):
            raise InvalidRequest(
                f"{name}: it asks for lines of the past only, and follow for new ones", hint="leave one out"
            )
    if query.grep is not None:
        compiled(query.grep)
    return ReadLogsJobRequest(
        query.tail, query.follow, since, until, query.grep, query.release, query.replica, query.previous or None
    )


def _asks_for_kept(wanted: ReadLogsJobRequest) -> list[str]:
    """Returns the given parameters that need kept lines; such lines exist even if no release ever went live."""
    return [
        name
        for name in ("since", "until", "grep", "release", "replica", "previous")
        if getattr(wanted, name) is not None
    ]


def _require_plain(app: str, role: Role, wanted: ReadLogsJobRequest) -> None:
    """Raises InvalidRequest for a parameter that needs kept lines of replicas, because a run or a call has none."""
    asked = _asks_for_kept(wanted)
    if asked:
        raise InvalidRequest(
            f"{asked[0]}: only the lines of webservers and workers are kept with their times, and {app} is a {role}",
            hint=f"norn cron logs {app}" if role is Role.CRON else f"norn fn history {app}",
        )


def _plain(line: LiveLine) -> str:
    return f"{line.source} | {line.line}\n"


def _timed(line: LiveLine) -> str:
    return f"{line.about['at']} {_plain(line)}" if "at" in line.about else _plain(line)


def _json_line(line: LiveLine) -> str:
    shown: Mapping[str, Any] = {"source": line.source, "line": line.line, **line.about}
    return json.dumps(shown, ensure_ascii=False) + "\n"


def _last_output(tx: Tx, app: str, role: Role) -> list[tuple[str, str]]:
    """Returns the lines of the newest run or call."""
    if role is Role.CRON:
        runs = runs_read.cron_runs(tx, app, Cut(limit=1)).items
        return [line for run in runs for line in _lines(run.id, run.stdout, run.stderr)]
    calls = runs_read.calls(tx, app=app, cut=Cut(limit=1)).items
    found = [(call.id, runs_read.answer(tx, call.id)) for call in calls]
    return [line for number, io in found for line in _lines(number, _text(io.response), _text(io.stderr))]


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _lines(execution: int, stdout: str, stderr: str) -> Iterator[tuple[str, str]]:
    yield from ((f"run-{execution}", line) for line in stdout.splitlines())
    yield from ((f"run-{execution} stderr", line) for line in stderr.splitlines())


# Live lines of replicas


def _replica_lines(source: Source, reading: LiveReading, shape: Shape, life: SignOfLife) -> Iterator[str]:
    lines = reading.taken()
    try:
        while True:
            yield life.over("".join(map(shape, lines)))
            if reading.ended or not source.open:
                return
            lines = reading.more(2.0)
            if not lines and not reading.ended:
                trouble = reading.look()
                if trouble is not None:
                    # The response has begun: an error can only be its last line.
                    yield shape(LiveLine("", "norn", trouble.sentence))
    finally:
        reading.leave()
