"""The steps that read the log lines of an app's replicas for a connected client, and that delete the lines when the app
is purged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from norn_tasks.domain.app_logs.lines import NOTE, KeptLine, LineNames, LogOrigin, LogQuestion
from norn_tasks.domain.app_logs.times import parse_time, time_text
from norn_tasks.domain.errors import ClusterDown, EngineDown, NotFound, Stopped
from norn_tasks.domain.jobs.requests import ReadLogsJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.ports import LiveStream, LiveText
from norn_tasks.steps.step import Step, StepContext

_MOST = 16 * 1024 * 1024
"""The most bytes of past lines that a job sends; the broker holds them until the client has read them."""
_OVERLAP_SECONDS = 60
"""A worker that takes the job over begins to read this many seconds before the last sent line, because lines may be
stored late.
"""
_RESUMED_LINES = 10_000
"""How many past lines at most are sent, before new lines, by a worker that takes the job over."""
_STREAMS = {1: "stdout", 2: "stderr"}


class ReadLogs(Step):
    """Reads the stored lines of an app into the job's live stream, and then new lines for as long as a client reads the
    stream.
    """

    name = "read-logs"
    patient = False

    def run(self, context: StepContext) -> Learned | None:
        """Ends when everything was sent, or when no client reads any longer; if the step fails, the job says why."""
        context.require_hideable()
        job, logs = context.job, context.tools.logs
        request = job.request_as(ReadLogsJobRequest)
        emit = context.tools.live.of_job(job.id, context.watch)
        sent = emit.sent
        question, kept = _question(context, request), logs.collects(context.cluster.name)
        trouble = logs.trouble(context.cluster.name) if kept else ""
        if not kept or (trouble and not question.narrow):
            # the cluster's lines have no times, so a worker that takes the job over could not leave out past lines that
            # were already sent: it sends only new ones
            tail = request.tail if sent is None else 0
            _read_in_cluster(context, request, emit, tail, trouble)
        else:
            question = _resumed(question, request, sent)
            follow = emit.stop if request.follow else None
            try:
                logs.read(job.app, _of_this_app(question, request), _SentLines(emit, trouble).take, follow, emit.stop)
            except Stopped:
                # if `check` does not raise, only the client has disconnected, which is not a failure
                context.watch.stop.check()
        emit.end()
        return None


def _read_in_cluster(
    context: StepContext, request: ReadLogsJobRequest, emit: LiveStream, tail: int, trouble: str
) -> None:
    """Reads the lines that the cluster still has; if the cluster does not answer, reads the stored lines."""
    app, sent = context.job.app, _SentLines(emit, trouble)
    try:
        context.cluster.logs(app, tail, request.follow, sent.line, emit.stop, context.hidden)
    except (EngineDown, ClusterDown) as error:
        if sent.begun or not context.tools.logs.origins(app):
            raise
        kept = _SentLines(emit, error.sentence)
        context.tools.logs.read(app, _of_this_app(LogQuestion(tail), request), kept.take)


class DeleteLogs(Step):
    """Deletes the stored lines of an app that is purged."""

    name = "delete-logs"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note that says how much was deleted."""
        size = context.tools.logs.forget(context.job.app)
        return Learned(note=f"removed: {size / 2**20:.1f} MiB of log lines" if size else "")


def _resumed(question: LogQuestion, request: ReadLogsJobRequest, sent: Mapping[str, Any] | None) -> LogQuestion:
    """Returns the query with which a worker that takes the job over continues after the last sent line. The reader
    leaves out lines that were already sent.
    """
    if sent is None:
        return question
    if "at" not in sent:
        return replace(question, tail=0)
    if not request.follow:
        return question
    since = parse_time(sent["at"], 0, "at") - _OVERLAP_SECONDS * 10**9
    return replace(question, tail=_RESUMED_LINES, since=max(since, question.since or since))


def _question(context: StepContext, request: ReadLogsJobRequest) -> LogQuestion:
    """Returns the query for the request; raises NotFound if no lines of the requested replicas are stored."""
    asked = LogQuestion(
        request.tail, request.since, request.until, request.grep or "", request.release, request.replica
    )
    app, narrow = context.job.app, asked.narrow or request.previous
    if narrow and not context.tools.logs.collects(context.cluster.name):
        raise NotFound(f"the lines of {app} are not kept: its cluster keeps them itself", hint=f"norn logs {app}")
    if asked.replica is None and not request.previous:
        return asked
    origins = context.tools.logs.origins(app)
    if asked.replica is not None:
        _require_known(app, asked.replica, origins)
    if not request.previous:
        return asked
    here = context.tools.logs.containers(app)
    gone = [origin for origin in origins if origin.container not in here and asked.covers(origin)]
    if not gone:
        raise NotFound(f"previous: no lines of earlier replicas of {app} are kept", hint=f"norn logs {app}")
    newest = max(origin.generation for origin in gone)
    return replace(asked, containers=frozenset(each.container for each in gone if each.generation == newest))


def _of_this_app(question: LogQuestion, request: ReadLogsJobRequest) -> LogQuestion:
    """Returns the query without lines that an earlier app of the same name printed."""
    if request.oldest is None:
        return question
    return replace(question, since=max(request.oldest, question.since or request.oldest))


def _require_known(app: str, replica: int, origins: frozenset[LogOrigin]) -> None:
    known = sorted({origin.replica for origin in origins})
    if known and replica not in known:
        there = ", ".join(map(str, known[:20]))
        raise NotFound(f"replica: {app} has no lines of a replica {replica}", hint=f"there are lines of: {there}")


class _SentLines:
    """Sends lines to the client, each with its container's name. `trouble` says why new lines are not being stored; if
    it is not empty, it is sent first.
    """

    def __init__(self, emit: LiveStream, trouble: str) -> None:
        self._emit = emit
        self._trouble = trouble
        self._names = LineNames()
        self.begun = False
        """True once a line was sent."""

    def line(self, source: str, text: str) -> None:
        """Sends a line without a time or a stream."""
        self._begin()
        self._emit.line(source, text)

    def take(self, lines: Sequence[KeptLine]) -> None:
        """Sends lines; if they have too many bytes, sends only the last ones, and a line that says how many were left
        out.
        """
        if lines or self._trouble:
            self._begin()
        size, first = 0, len(lines)
        while first > 0 and size + len(lines[first - 1].text) <= _MOST:
            first -= 1
            size += len(lines[first].text)
        if first:
            self._emit.line(
                "norn",
                f"… the first {first} lines are not shown: all lines together are more than {_MOST >> 20} MiB …",
            )
        shown = lines[first:]
        self._names.add(line.origin for line in shown)
        self._emit.lines([self._shown(line) for line in shown])

    def _begin(self) -> None:
        if self._trouble and not self.begun:
            self._emit.line("norn", f"… new lines are not kept: {self._trouble} …")
        self.begun = True

    def _shown(self, line: KeptLine) -> LiveText:
        text = line.text.decode("utf-8", "replace").replace("\0", "\ufffd")
        about: dict[str, object] = {"at": time_text(line.at)}
        if line.stream == NOTE:
            return LiveText("norn", text, about)
        origin = line.origin
        about |= {
            "stream": _STREAMS.get(line.stream, "stdout"), "release": origin.release, "replica": origin.replica,
            "container": origin.short,
        }  # fmt: skip
        return LiveText(self._names.of(origin), text, about)
