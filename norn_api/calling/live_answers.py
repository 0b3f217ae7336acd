"""Sends the answer of a call while the function prints it: the broker passes on the pieces of its output.

The client gets exactly the recorded output. If a piece is lost, all later pieces are ignored, and the rest is read from
the record when the call has ended. The head of the answer is sent with the first piece. If the call fails before that,
the client gets an ordinary error. A later failure breaks the connection off, so that no client takes the beginning of
an answer for the complete answer.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from itertools import chain, count

from flask import Response, request, stream_with_context

from norn_api.calling.answers import end_of
from norn_api.calling.calls import trouble
from norn_api.calling.outputs import FunctionResponse, answer_of, options_of_call
from norn_api.services import norn
from norn_api.streaming.connections import Connection
from norn_tasks.dispatch import Accepted
from norn_tasks.domain.errors import InvalidRequest, NornError
from norn_tasks.domain.functions.cgi import HEAD_MOST, FunctionAnswer
from norn_tasks.domain.infraspec import FunctionOptions
from norn_tasks.store.apps.registry import LiveFunction

_PIECE_SECONDS = 0.25
"""How long to wait for a piece before checking whether the call has ended."""
_LOOK_EVERY = 4
"""After this many waits, the row of the call is read too, in case the announcement of its end was lost."""


def live_answer(work: Accepted, live: LiveFunction, give_back: Callable[[], None]) -> Response:
    """Returns the answer to an accepted call as soon as its beginning is known; raises the errors of `end_of`, and the
    error of a call that failed before that.

    `give_back` is called when the answer has ended.
    """
    assert work.execution is not None
    options, connection = options_of_call(work.execution, live), Connection(request.environ)
    output = _output(work.job, work.execution, live.options.timeout, connection)
    begin = b""
    for piece in output:
        begin += piece
        head = _head(begin, options)
        if head is None and len(begin) > HEAD_MOST:
            begin += b"".join(output)  # the head is invalid; the error of the call says why
        if head is not None:
            connection.guard()
            sent = stream_with_context(_sent(chain((head.body,), output), connection))
            response = FunctionResponse(head, sent)
            response.headers["X-Accel-Buffering"] = "no"
            response.call_on_close(give_back)
            return response
    give_back()
    return FunctionResponse(answer_of(begin, options))


def _head(begin: bytes, options: FunctionOptions) -> FunctionAnswer | None:
    """Returns the answer so far; None while its head is not complete, or if the head has a mistake."""
    try:
        return answer_of(begin, options) if begin else None
    except InvalidRequest:
        return None


def _output(job: int, execution: int, timeout: float, connection: Connection) -> Iterator[bytes]:
    """Yields the output of a call as it arrives, and the rest at its end; raises the error of a call that failed."""
    sent, cursor, until = 0, "0", time.monotonic() + timeout
    for turn in count(1):
        lines = norn().live.read(job, cursor, _PIECE_SECONDS)
        for line in lines:
            cursor = line.id
            if line.about.get("at") == sent:
                piece = base64.b64decode(line.line)
                sent += len(piece)
                yield piece
        ended = not lines and norn().ends_of_calls.has_ended(execution, looking=turn % _LOOK_EVERY == 0)
        if ended or time.monotonic() > until or norn().closing.is_set():
            break
        if connection.gone():
            # otherwise a client that has closed only its sending side would believe that the answer is complete
            connection.cut()
            return
    call, io = end_of(execution, max(0.0, until - time.monotonic()), of=timeout)
    error = trouble(call)
    if error is not None:
        raise error
    yield (io.response or b"")[sent:]


def _sent(pieces: Iterator[bytes], connection: Connection) -> Iterator[bytes]:
    """Yields the pieces; an error closes the connection, because the head was already sent."""
    try:
        yield from pieces
    except NornError:
        connection.cut()
