"""Prints a function's call: its output as bytes, or its whole record."""

from __future__ import annotations

import base64

from norn_cli.answers import OPEN_RUN, Json
from norn_cli.display.output import Output
from norn_cli.display.tables import took
from norn_cli.display.times import ago
from norn_cli.errors import JobFailed


def show_call(output: Output, record: Json) -> None:
    """Prints a call's output, or with -o its record; raises JobFailed if the call did not succeed."""
    (show_answer if output.for_people else show_record)(output, record)


def show_answer(output: Output, record: Json) -> None:
    """Prints a call's stdout and stderr; raises JobFailed if the call did not succeed."""
    output.raw(answer_bytes(record))
    output.raw((record.get("stderr") or "").encode(), err=True)
    raise_if_failed(record)


def show_record(output: Output, record: Json) -> None:
    """Prints the whole record of a call; raises JobFailed if it did not succeed."""
    output.data(record, lambda: _show(output, record), [str(record["id"])])
    raise_if_failed(record)


def show_head(output: Output, record: Json) -> None:
    """Prints a call to stderr as `curl -v` does: its request, how its execution ended, and its answer's headers."""
    query = f"?{record['query']}" if record.get("query") else ""
    output.say(f"> {record.get('method')} {record.get('path')}{query}, {_bytes(record, 'request_size')}")
    ran = f"* execution {record['id']}, release {record.get('release')}: {record['state']}"
    code = "" if record.get("exit_code") is None else f", exit code {record['exit_code']}"
    output.say(f"{ran}{code}" + (f", {record['duration_ms']} ms" if record.get("duration_ms") is not None else ""))
    if record.get("status"):
        output.say(f"< {record['status']}, {_bytes(record, 'response_size') or 'no answer'}")
    for name, value in record.get("headers") or []:
        output.say(f"< {name}: {value}")


def show_difference(output: Output, found: Json) -> None:
    """Prints how the answers of two calls differ."""
    if found["same"]:
        output.line(f"executions {found['before']} and {found['after']} have the same status, headers and body")
        return
    output.line(f"--- execution {found['before']}")
    output.line(f"+++ execution {found['after']}")
    for each in [found["status"], *found["headers"]]:
        for sign, value in (("-", each and each["before"]), ("+", each and each["after"])):
            if value is not None:
                output.stream(f"{sign} {each['name']}: {value}")
    if found["lines"]:
        for line in found["lines"][2:]:
            output.stream(line)
    elif found["first_byte"] is not None:
        output.line(f"the bodies differ from byte {found['first_byte']} on")


def answer_bytes(record: Json) -> bytes:
    """Returns a call's stdout."""
    if record.get("stdout_base64"):
        return base64.b64decode(record["stdout_base64"])
    return (record.get("stdout") or "").encode()


def raise_if_failed(record: Json) -> None:
    """Raises JobFailed for a call or run that failed."""
    if record["state"] in ("succeeded", *OPEN_RUN):
        return
    sentence = record.get("sentence") or f"exit code {record.get('exit_code')}"
    raise JobFailed(
        f"execution {record['id']} {record['state']}: {sentence}",
        hint=record.get("hint") or f"norn logs {record['app']}",
        word=record.get("cause") or "",
    )


def facts_of_run(run: Json) -> list[tuple[str, object]]:
    """Returns the facts that all executions have, whether of a cron app, a one-off or a function."""
    return [
        ("execution", run["id"]),
        ("app", run.get("app")),
        ("state", run["state"]),
        ("exit code", run.get("exit_code")),
        ("took", took(run)),
        ("release", run.get("release")),
        ("attempt", run.get("attempt") if (run.get("attempt") or 1) > 1 else None),
        ("began", ago(run.get("begun_at"))),
        ("why", run.get("sentence")),
        ("hint", run.get("hint")),
    ]


def show_streams(output: Output, run: Json) -> None:
    """Prints both streams of a run, each below its title."""
    for name in ("stdout", "stderr"):
        text = answer_bytes(run).decode("utf-8", "replace") if name == "stdout" else run.get(name) or ""
        dropped = run.get(f"{name}_dropped")
        if text or dropped:
            output.line()
            output.line(f"{name}:" + (f" ({dropped} bytes dropped)" if dropped else ""))
        for line in text.splitlines():
            output.stream(f"  {line}")


def _show(output: Output, call: Json) -> None:
    request = f"{call.get('method', '')} {call.get('path', '')}" + (f"?{call['query']}" if call.get("query") else "")
    sizes = [("request", request), ("body", _bytes(call, "request_size")), ("answer", _bytes(call, "response_size"))]
    output.facts([*facts_of_run(call), *sizes])
    show_streams(output, call)


def _bytes(call: Json, name: str) -> str:
    return f"{call[name]} bytes" if call.get(name) is not None else ""
