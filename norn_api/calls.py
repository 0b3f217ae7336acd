"""From an HTTP request to a function's call, and from its end to an HTTP answer (behaviour.md §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from norn_api.errors import HeadersTooLarge
from norn_tasks.domain.errors import BadRequest, Conflict, NornError, SecretsMissing, TooManyRequests, Unavailable
from norn_tasks.domain.execution import ExecutionState
from norn_tasks.store.executions import FunctionCall

HEADERS_MAX = 32 * 1024
"""All headers together: they are one string of the environment, and Linux takes 128 KiB there."""

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
}  # RFC 9110 7.6.1
_DROPPED = _HOP_BY_HOP | {"authorization", "cookie", "idempotency-key"}
_DROPPED_PREFIXES = ("proxy-", "cf-", "x-forwarded-", "x-norn-")


def passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Answers the headers that may reach a function, by lower-case name; raises HeadersTooLarge or BadRequest.

    What the sender names in `Connection` is hop-by-hop too.
    """
    given = [(name.lower(), value) for name, value in headers]
    named = {part.strip().lower() for name, value in given if name == "connection" for part in value.split(",")}
    kept: dict[str, str] = {}
    for name, value in given:
        if name in _DROPPED or name in named or name.startswith(_DROPPED_PREFIXES):
            continue
        if "\0" in value:
            raise BadRequest(f"the header {name[:80]} holds a NUL", hint="send text in headers")
        kept[name] = f"{kept[name]}, {value}" if name in kept else value
    size = sum(len(name) + len(value) for name, value in kept.items())
    if size > HEADERS_MAX:
        sentence = f"the headers have {size} bytes, and a function takes {HEADERS_MAX}"
        raise HeadersTooLarge(sentence, hint="send it in the body", limit=HEADERS_MAX)
    return kept


# How an end is told over HTTP


class FunctionFailed(NornError):
    """The function's code ended with an error."""

    code, status = "function_failed", 502


class NotRunnable(NornError):
    """The function's command cannot be run."""

    code, status = "not_runnable", 502


class OomKilled(NornError):
    """The function used more than its memory."""

    code, status = "oom_killed", 502


class OutputTooLarge(NornError):
    """The function wrote more than its answer may have."""

    code, status = "output_too_large", 502


class FunctionTimedOut(NornError):
    """The function did not end in time."""

    code, status = "timed_out", 504


class EngineTrouble(Unavailable):
    """The call could not be run, or nobody knows how it ended; its code is not to blame."""

    code = "engine_trouble"


class OutcomeUnknown(NornError):
    """The worker died while the code ran: it may have done its work or not, so nothing repeats it by itself."""

    code, status = "worker_lost", 502


class NoCapacity(TooManyRequests):
    """Nobody was free to run the call in time."""

    code = "no_capacity"


class CallCancelled(Conflict):
    """Somebody cancelled the call."""

    code = "cancelled"


_BY_CAUSE: Mapping[str, type[NornError]] = {
    "output_too_large": OutputTooLarge,
    "not_runnable": NotRunnable,
    "expired": NoCapacity,
    "worker_lost": OutcomeUnknown,
    "secrets_missing": SecretsMissing,
}
_BY_STATE: Mapping[str, type[NornError]] = {
    ExecutionState.FAILED: FunctionFailed,
    ExecutionState.TIMED_OUT: FunctionTimedOut,
    ExecutionState.OOM_KILLED: OomKilled,
    ExecutionState.CANCELLED: CallCancelled,
    ExecutionState.ERROR: EngineTrouble,
}


def trouble(call: FunctionCall) -> NornError | None:
    """Answers what an ended call is told as when it did not succeed."""
    if call.state == ExecutionState.SUCCEEDED:
        return None
    kind = _BY_CAUSE.get(call.cause) or _BY_STATE[call.state]
    facts = {"retry_after": 2} if issubclass(kind, Unavailable | TooManyRequests) else {}
    sentence = f"{call.app}: {call.sentence}" if call.sentence else f"{call.app}: the call ended {call.state}"
    hint = call.hint or f"norn fn show {call.id} has its output"
    return kind(sentence, hint=hint, execution=call.id, job=call.job, **facts)


def not_in_time(call: FunctionCall, timeout: float) -> NornError:
    """Answers the error for a call that has not ended when its time is up: nobody began it, or its code goes on."""
    facts = {"execution": call.id, "job": call.job}
    if call.begun_at is None:
        sentence = f"{call.app}: waited {timeout:g} s, and no worker was free to begin it"
        return NoCapacity(sentence, hint="norn worker list", retry_after=2, **facts)
    hint = "raise function.timeout in its infraspec.yaml, or make it quicker"
    return FunctionTimedOut(f"{call.app}: it did not end within {timeout:g} s", hint=hint, **facts)


def interrupted(execution: int) -> Unavailable:
    """Answers the error for one who waits while this process has to end: the call itself goes on."""
    sentence = f"the server restarts; invocation {execution} goes on"
    return Unavailable(sentence, hint=f"GET /api/invocations/{execution}", execution=execution, retry_after=2)
