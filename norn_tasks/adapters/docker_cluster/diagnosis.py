"""Explains why a rollout failed: in one sentence, with a hint and the last lines of the new replica."""

from __future__ import annotations

import re
from collections.abc import Sequence

from norn_tasks.adapters.docker_cluster.world import ReplicaContainer
from norn_tasks.domain.causes import Evidence, cause_of_answer, cause_of_end, cause_of_silence
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.domain.infraspec import Health
from norn_tasks.domain.quantities import memory_text
from norn_tasks.domain.wording import shown
from norn_tasks.ports import Workload

_MUTE = "let it write its errors to standard output or standard error"
_BY_SIGNAL = {132: "SIGILL", 134: "SIGABRT", 136: "SIGFPE", 137: "SIGKILL", 139: "SIGSEGV: it crashed", 143: "SIGTERM"}
_ANSWERED = re.compile(r"answered (\d{3})")
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""The exit codes of a shell if its command does not exist, or is not executable."""
_EXEC = re.compile(r'exec: "([^"]*)"')
_INIT = re.compile(r"\[FATAL tini \(\d+\)\] exec (.*) failed: (.*)")
"""The line in which the engine's init reports that it cannot execute the program."""
_UNITS = {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB"}
_LONGEST = 300
"""The most characters of an excerpt in a message."""


def ended(workload: Workload, seen: ReplicaContainer, evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica that ended before it was healthy."""
    if seen.oom_killed:
        return _out_of_memory(workload, evidence.lines)
    if (said := _refused_by_init(evidence)) is not None:
        return not_started(said)
    return _ended(f"the new container exited {_code(seen.exit_code)}{_lifetime(seen)}", seen.exit_code, evidence)


def restarted(evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica that was restarted before it had passed its gate."""
    return _ended("the new container was restarted before it had become healthy", None, evidence)


def ended_again(workload: Workload, seen: ReplicaContainer, evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica that was healthy and ended while the rollout went on."""
    if seen.oom_killed:
        return _out_of_memory(workload, evidence.lines)
    if seen.running:
        what = "the new container ended soon after it had become healthy, and was restarted"
        return _ended(what, None, evidence)
    what = f"the new container became healthy and then exited {_code(seen.exit_code)}"
    return _ended(what, seen.exit_code, evidence)


def removed() -> RolloutFailed:
    """Returns the error for a replica that somebody else removed."""
    return _failed(
        "the new container was removed from the engine while it started",
        "norn events lists the changes and who made them",
    )


def not_started(said: str) -> RolloutFailed:
    """Returns the error for a replica that the engine could not start."""
    program = _EXEC.search(said)
    named = shown(program[1]) if program else "its program"
    if "not found" in said or "no such file" in said.lower():
        return _failed(f"the image has no program {named} (exit {_NOT_FOUND})", _COMMAND)
    if "permission denied" in said.lower():
        return _failed(f"{named} in the image cannot be executed (exit {_NOT_EXECUTABLE})", _COMMAND)
    return _failed(f"the engine could not start the new container: {' '.join(said.split())[:_LONGEST]}", "")


def not_listening(workload: Workload, seconds: float, evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica whose port never accepted a connection."""
    cause = cause_of_silence(evidence)
    what = f"nothing listened on port {workload.port} for {seconds:g} s"
    return _failed(f"{what}: {cause.text}", cause.hint, evidence.lines)


def not_healthy(workload: Workload, word: str, seconds: float, evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica whose healthcheck never succeeded; `word` is the result of the last check."""
    status = _ANSWERED.fullmatch(word)
    cause = cause_of_answer(evidence, int(status[1]) if status else None)
    what = f"GET {workload.healthcheck} on port {workload.port} {word} for {seconds:g} s"
    hint = f"healthcheck: {workload.healthcheck} in infraspec.yaml must answer {_expected(workload)}"
    return _failed(_with(what, cause.text), "; ".join(filter(None, (cause.hint, hint))), evidence.lines)


def _expected(workload: Workload) -> str:
    return "2xx or 3xx" if workload.health.status == Health().status else workload.health.status


_COMMAND = "check `command` in infraspec.yaml, and CMD and ENTRYPOINT in the Dockerfile"


def _out_of_memory(workload: Workload, lines: Sequence[str]) -> RolloutFailed:
    limit = f"its {_size(workload.memory)}" if workload.memory is not None else "the machine has"
    return _failed(f"it used more than {limit} and was killed", "raise resources.memory in infraspec.yaml", lines)


def _ended(what: str, code: int | None, evidence: Evidence) -> RolloutFailed:
    """Returns the error for a replica that ended, with the cause. If the exit code is 0, no cause is searched for."""
    if code == 0:
        hint = "its program must keep running; a job that ends by itself has the role cron"
        return _failed(what, hint, evidence.lines)
    cause = cause_of_end(evidence)
    hint = cause.hint or (_COMMAND if code in (_NOT_FOUND, _NOT_EXECUTABLE) else "")
    if not cause.text:
        return _failed(f"{what} and wrote nothing", hint or _MUTE, evidence.lines)
    return _failed(f"{what}: {cause.text}", hint, evidence.lines)


def _with(what: str, cause: str) -> str:
    return f"{what}: {cause}" if cause else what


def _refused_by_init(evidence: Evidence) -> str | None:
    """Returns the message of the engine's init if it could not execute the program; None if the program's file explains
    more.
    """
    said = _INIT.match(evidence.lines[-1]) if evidence.lines else None
    known = evidence.program is not None and evidence.program.head != b""
    if said is None or "format" in said[2] or (known and "denied" not in said[2]):
        return None
    return f'exec: "{said[1]}": {said[2]}'


def _code(code: int) -> str:
    return f"{code} ({_BY_SIGNAL[code]})" if code in _BY_SIGNAL else str(code)


def _lifetime(seen: ReplicaContainer) -> str:
    if seen.started_at is None or seen.finished_at is None or seen.finished_at < seen.started_at:
        return ""
    seconds = (seen.finished_at - seen.started_at).total_seconds()
    if seconds < 0.1:
        return " at once"
    return f" after {seconds:.1f} s" if seconds < 10 else f" after {seconds:.0f} s"


def _size(memory: int) -> str:
    text = memory_text(memory)
    return f"{text[:-1]} {_UNITS[text[-1]]}" if text[-1] in _UNITS else f"{text} bytes"


def _failed(sentence: str, hint: str, lines: Sequence[str] = ()) -> RolloutFailed:
    return RolloutFailed(sentence, hint=hint, last_lines=list(lines))
