"""The end of an accepted call: waits for it, and reads the result.

The call continues no matter what happens here. So no error of this module says that nothing was done, and reading is
retried while the database is unreachable.
"""

from __future__ import annotations

import contextlib
import time

from norn_api.calling.calls import interrupted, not_in_time, unread
from norn_api.calling.invoking import SMALL_BODY, TURN_SECONDS
from norn_api.services import norn
from norn_api.web.replies import has_key
from norn_tasks import dispatch
from norn_tasks.domain.errors import DatabaseDown, TooManyRequests
from norn_tasks.domain.infraspec import Record
from norn_tasks.domain.jobs.execution import ExecutionState
from norn_tasks.store.runs import runs_read
from norn_tasks.store.runs.runs_read import Answer, FunctionCall

GRACE_SECONDS = 4.0
"""How many seconds longer than a call's timeout a request waits for its end. At the timeout the worker sends SIGTERM,
one second later SIGKILL, and then it records the end, which takes a moment longer on a busy machine."""
READING_SECONDS = 18.0
"""How long the database may take to return an answer; PostgreSQL itself ends a statement after 20 s."""
OUTAGE_SECONDS = 30.0
"""How many seconds reading an answer is retried while the database is unreachable."""
_AGAIN_SECONDS = 0.5
_LOCKED_LOOKS = (0.1, 0.4, 0.0)
"""The seconds to wait after each attempt to end a call that has not begun. An attempt does not wait for a locked row:
the sweeper, which ends overdue jobs, may be ending the call at that moment.
"""


def end_of(execution: int, timeout: float, *, of: float | None = None) -> tuple[FunctionCall, Answer]:
    """Waits for a call's end and returns its record and its output. Raises FunctionTimedOut if the call has not ended
    in time, NotRead if the database stays unreachable, and NotWaited if this process must end.

    Reading the answer deletes it, unless the function keeps full records, or the caller sent an Idempotency-Key and may
    ask again. `of`: the complete time limit of the call, if the client has already waited for part of that time.
    """
    begin = time.monotonic()
    _wait_for(execution, timeout)
    call, answer = _through_outages(execution)
    left = timeout - (time.monotonic() - begin)
    if not ExecutionState(call.state).terminal and left > 0:
        _wait_for(execution, left, looking=True)  # its end was announced, but is not yet in its row
        call, answer = _through_outages(execution)
    for pause in _LOCKED_LOOKS:
        if ExecutionState(call.state).terminal or call.begun_at is not None:
            break
        with contextlib.suppress(DatabaseDown):
            dispatch.expire_call(norn().intake, call.job)
        call, answer = _through_outages(execution)
        norn().closing.wait(0 if ExecutionState(call.state).terminal else pause)
    if not ExecutionState(call.state).terminal:
        raise not_in_time(call, timeout if of is None else of)
    if call.record != Record.FULL and not has_key():
        with contextlib.suppress(DatabaseDown):  # otherwise, the later cleanup deletes the answer
            dispatch.take_answer(norn().intake, execution)
    return call, answer


def _wait_for(execution: int, timeout: float, *, looking: bool = False) -> None:
    """Waits for a call's end until `timeout` and the grace period are over; raises NotWaited if the process
    must end.
    """
    ended = norn().ends_of_calls.until_ended(execution, timeout + GRACE_SECONDS, looking=looking)
    if not ended and norn().closing.is_set():
        raise interrupted(execution)


def _through_outages(execution: int) -> tuple[FunctionCall, Answer]:
    """Returns a call's record and its output; retries while the database is unreachable. Raises NotRead after 30 s, and
    NotWaited if this process must end.
    """
    end = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            with norn().database.patient(READING_SECONDS):
                return outcome(execution)
        except (DatabaseDown, TooManyRequests) as error:
            if time.monotonic() > end:
                raise unread(execution, error) from error
            if norn().closing.wait(_AGAIN_SECONDS):
                raise interrupted(execution) from error


def outcome(execution: int) -> tuple[FunctionCall, Answer]:
    """Returns a call's record and its output; only a few large outputs are read at the same time. Raises
    TooManyRequests.
    """
    with norn().database.transaction() as tx:
        call = runs_read.call(tx, execution)
        if max(call.request_size, call.response_size or 0) <= SMALL_BODY:
            return call, runs_read.answer(tx, execution)
    with norn().answers.place(TURN_SECONDS), norn().database.transaction() as tx:
        return runs_read.call(tx, execution), runs_read.answer(tx, execution)
