"""An app's logs: what its replicas print, or what its last run or call printed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from flask import Response, request

from norn_api.openapi import noun, text_answer
from norn_api.schemas.apps import LogsQuery
from norn_api.schemas.common import AppPath
from norn_api.services import actor, norn
from norn_api.streams import Source, source, streamed
from norn_tasks.dispatch import request_logs
from norn_tasks.domain.errors import EngineDown, Unavailable
from norn_tasks.domain.infraspec import Role
from norn_tasks.store import apps_read, executions, jobs_read, releases
from norn_tasks.store.live import Live, LiveLine
from norn_tasks.store.reading import Cut
from norn_tasks.store.session import Tx

NDJSON = "application/x-ndjson"
TEXT = "text/plain; charset=utf-8"
FIRST_SECONDS = 5.0
"""How long an answer waits for the first line, so that a look that fails at once is a problem and no empty stream."""

Shape = Callable[[str, str], str]
api = noun("logs", "Logs of apps")


@api.get("/api/apps/<app>/logs", responses=text_answer("`replica | line`, one a line"))
def get_logs(path: AppPath, query: LogsQuery) -> Response:
    """Answers an app's last lines, `replica | line`, as text or (Accept: application/x-ndjson) as JSON lines.

    Of a cron app or a function: what its last run or call printed.
    """
    wants_json = NDJSON in request.headers.get("Accept", "")
    shape, kind = (_json_line, NDJSON) if wants_json else (_plain, TEXT)
    with norn().database.transaction() as tx:
        app = apps_read.one(tx, norn().settings.apps_dir, path.app)
        if app.role in (Role.CRON, Role.FUNCTION):
            lines = _last_output(tx, app.name, app.role)[-query.tail :] if query.tail else []
            return Response([shape(*line) for line in lines], content_type=kind)
        if app.live is None:
            raise releases.none_yet(tx, app.name)
    work = request_logs(norn().intake, path.app, tail=query.tail, follow=query.follow, actor=actor().name)
    here, reading = source(), _Reading(norn().live, work.job)
    reading.first(here)
    return streamed(_replica_lines(here, reading, shape), kind, here.connection)


def _plain(source: str, line: str) -> str:
    return f"{source} | {line}\n"


def _json_line(source: str, line: str) -> str:
    return json.dumps({"source": source, "line": line}, ensure_ascii=False) + "\n"


def _last_output(tx: Tx, app: str, role: Role) -> list[tuple[str, str]]:
    """Answers the lines of the newest run or call."""
    if role is Role.CRON:
        runs = executions.cron_runs(tx, app, Cut(limit=1)).items
        return [line for run in runs for line in _lines(run.id, run.stdout, run.stderr)]
    calls = executions.calls(tx, app=app, cut=Cut(limit=1)).items
    found = [(call.id, executions.answer(tx, call.id)) for call in calls]
    return [line for number, io in found for line in _lines(number, _text(io.response), _text(io.stderr))]


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _lines(execution: int, stdout: str, stderr: str) -> Iterator[tuple[str, str]]:
    yield from ((f"run-{execution}", line) for line in stdout.splitlines())
    yield from ((f"run-{execution} stderr", line) for line in stderr.splitlines())


# Live lines of replicas


class _Reading:
    """A live stream that is being read: where its reader is, and whether it has ended."""

    def __init__(self, live: Live, job: int) -> None:
        self._live = live
        self.job = job
        self._place = "0"
        self._kept: list[LiveLine] = []
        self.ended = False

    def first(self, source: Source) -> None:
        """Waits for the first line or the end; raises Unavailable when the look failed."""
        end = time.monotonic() + FIRST_SECONDS
        while not self._kept and not self.ended and time.monotonic() < end:
            self._kept = self.more(0.5)
            if self._kept or self.ended:
                return
            self.ended, trouble = _look(source, self.job)
            if trouble is not None:
                raise trouble

    def taken(self) -> list[LiveLine]:
        """Answers what `first` found."""
        kept, self._kept = self._kept, []
        return kept

    def more(self, seconds: float) -> list[LiveLine]:
        """Answers new lines, waiting at most so long."""
        found = self._live.read(self.job, self._place, seconds)
        if found:
            self._place = found[-1].id
        self.ended = self.ended or any(line.last for line in found)
        return [line for line in found if not line.last]


def _look(source: Source, job: int) -> tuple[bool, Unavailable | None]:
    """Answers whether the job that reads has ended, and what went wrong if something did."""
    with source.database.transaction() as tx:
        found = jobs_read.get(tx, job)
    if not found.ended or found.error is None:
        return found.ended, None
    kind = EngineDown if found.error["code"] == EngineDown.code else Unavailable
    return True, kind(f"the logs could not be read: {found.error['sentence']}", hint=found.error["hint"])


def _replica_lines(source: Source, reading: _Reading, shape: Shape) -> Iterator[str]:
    lines = reading.taken()
    while True:
        yield "".join(shape(line.source, line.line) for line in lines)
        if reading.ended or source.closing.is_set() or source.connection.gone():
            return
        lines = reading.more(2.0)
        if not lines and not reading.ended:
            reading.ended, trouble = _look(source, reading.job)
            if trouble is not None:
                # The answer has begun: what went wrong can only be told as its last line.
                yield shape("norn", trouble.sentence)
