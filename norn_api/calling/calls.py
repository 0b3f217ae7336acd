"""Turns the headers of an HTTP request into those of a call, and the end of a call into an HTTP error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from norn_api.web.errors import HeadersTooLarge
from norn_tasks.domain.errors import BadRequest, Conflict, NornError, SecretsMissing, TooManyRequests, Unavailable
from norn_tasks.domain.jobs.execution import ExecutionState
from norn_tasks.store.runs.runs_read import FunctionCall

HEADERS_MAX = 32 * 1024
"""The most bytes of all headers together. They become one environment variable, which Linux limits to 128 KiB."""

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
    """Returns the headers that may reach a function, by lower-case name; raises HeadersTooLarge or BadRequest.

    Headers that the sender names in `Connection` are hop-by-hop too.
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


# The end of a call as an HTTP error


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
    """The function's output is larger than its limit."""

    code, status = "output_too_large", 502


class BadResponse(NornError):
    """The output of the function does not have the form that its infraspec promises (`response: cgi`)."""

    code, status = "bad_response", 502


class FunctionTimedOut(NornError):
    """The function did not end in time."""

    code, status = "timed_out", 504


class EngineTrouble(Unavailable):
    """The call could not be started; the function's code is not the cause."""

    code = "engine_trouble"


class EngineLost(NornError):
    """The engine was lost, or ended the call, after the code had begun. The code may have done its work."""

    code, status = "engine_lost", 502


class NotRead(NornError):
    """The call was accepted, but its answer cannot be read."""

    code, status = "unconfirmed", 504


class NotWaited(NornError):
    """The call was accepted and continues, but the server that waited for its end restarts."""

    code, status = "call_goes_on", 504


class OutcomeUnknown(NornError):
    """The worker died while the code ran. Nobody knows whether the code did its work, so the call is not repeated."""

    code, status = "worker_lost", 502


class NoCapacity(TooManyRequests):
    """No worker was free to run the call in time."""

    code = "no_capacity"


class CallCancelled(Conflict):
    """The call was cancelled."""

    code = "cancelled"


_BY_CAUSE: Mapping[str, type[NornError]] = {
    "output_too_large": OutputTooLarge,
    "bad_response": BadResponse,
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
    """Returns the error for a call that ended without success; None if it succeeded."""
    if call.state == ExecutionState.SUCCEEDED:
        return None
    kind = _BY_CAUSE.get(call.cause) or _BY_STATE[call.state]
    if kind is EngineTrouble and call.begun_at is not None:
        kind = EngineLost
    facts = {"retry_after": 2} if issubclass(kind, Unavailable | TooManyRequests) else {}
    sentence = f"{call.app}: {call.sentence}" if call.sentence else f"{call.app}: the call ended {call.state}"
    hint = call.hint or f"norn fn show {call.id} has its output"
    return kind(sentence, hint=hint, execution=call.id, job=call.job, **facts)


def not_in_time(call: FunctionCall, timeout: float) -> NornError:
    """Returns the error for a call that has not ended in time, but may still continue."""
    facts = {"execution": call.id, "job": call.job}
    hint = "raise function.timeout in its infraspec.yaml, or make it quicker"
    return FunctionTimedOut(f"{call.app}: it did not end within {timeout:g} s", hint=hint, **facts)


def interrupted(execution: int) -> NotWaited:
    """Returns the error for a waiting client when this process must end; the call itself continues."""
    sentence = f"the server restarts; invocation {execution} goes on"
    return NotWaited(sentence, hint=_LATER.format(execution), execution=execution)


def unread(execution: int, error: NornError) -> NotRead:
    """Returns the error for a client whose call was accepted, but whose answer could not be read."""
    sentence = f"invocation {execution} was accepted, and its answer cannot be read: {error.sentence}"
    return NotRead(sentence, hint=_LATER.format(execution), execution=execution)


_LATER = "GET /api/invocations/{} has its answer"
