"""Says in one sentence why a rollout failed, with a way out and the new replica's last lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from norn_tasks.adapters.docker_cluster.world import Seen
from norn_tasks.domain.errors import RolloutFailed
from norn_tasks.domain.quantities import memory_text
from norn_tasks.domain.wording import shown
from norn_tasks.ports import Workload

_OWN_LOGS = "norn why {} shows its last lines"
_BY_SIGNAL = {137: "killed by SIGKILL", 139: "it crashed (SIGSEGV)", 143: "ended by SIGTERM"}
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_EXEC = re.compile(r'exec: "([^"]*)"')
_UNITS = {"k": "KiB", "m": "MiB", "g": "GiB", "t": "TiB"}
_LONGEST = 300


def ended(workload: Workload, seen: Seen, lines: Sequence[str]) -> RolloutFailed:
    """It ended before it was healthy."""
    if seen.oom_killed:
        return _out_of_memory(workload, lines)
    return _failed(
        f"the new container exited {seen.exit_code}{_lifetime(seen)}", _hint_for(workload, seen.exit_code), lines
    )


def ended_again(workload: Workload, seen: Seen, lines: Sequence[str]) -> RolloutFailed:
    """It was healthy, and ended while the rollout went on."""
    if seen.oom_killed:
        return _out_of_memory(workload, lines)
    own_logs = _OWN_LOGS.format(workload.app)
    if seen.running:
        return _failed("the new container ended soon after it had become healthy, and was restarted", own_logs, lines)
    return _failed(f"the new container became healthy and then exited {seen.exit_code}", own_logs, lines)


def removed() -> RolloutFailed:
    """Somebody took it away."""
    return _failed("the new container was removed from the engine while it started", "norn events tells who did what")


def not_started(said: str) -> RolloutFailed:
    """The engine could not start it."""
    program = _EXEC.search(said)
    named = shown(program[1]) if program else "its program"
    if "not found" in said or "no such file" in said.lower():
        return _failed(f"the image has no program {named} (exit {_NOT_FOUND})", _COMMAND)
    if "permission denied" in said.lower():
        return _failed(f"{named} in the image cannot be executed (exit {_NOT_EXECUTABLE})", _COMMAND)
    return _failed(f"the engine could not start the new container: {' '.join(said.split())[:_LONGEST]}", "")


def not_listening(workload: Workload, seconds: float, lines: Sequence[str]) -> RolloutFailed:
    """Its port never accepted."""
    return _failed(
        f"nothing listened on port {workload.port} for {seconds:g} s",
        f"the app must listen on 0.0.0.0:{workload.port}, not on 127.0.0.1 (PORT tells it the number)",
        lines,
    )


def not_healthy(workload: Workload, word: str, seconds: float, lines: Sequence[str]) -> RolloutFailed:
    """Its healthcheck never answered well; `word` is what it did last."""
    return _failed(
        f"GET {workload.healthcheck} on port {workload.port} {word} for {seconds:g} s",
        f"healthcheck: {workload.healthcheck} in infraspec.yaml must answer 2xx or 3xx",
        lines,
    )


_COMMAND = "check `command` in infraspec.yaml, and CMD and ENTRYPOINT in the Dockerfile"


def _out_of_memory(workload: Workload, lines: Sequence[str]) -> RolloutFailed:
    limit = f"its {_size(workload.memory)}" if workload.memory is not None else "the machine has"
    return _failed(f"it used more than {limit} and was killed", "raise resources.memory in infraspec.yaml", lines)


def _hint_for(workload: Workload, code: int) -> str:
    if code == 0:
        return "its program must keep running; a job that ends by itself has the role cron"
    if code in (_NOT_FOUND, _NOT_EXECUTABLE):
        return _COMMAND
    return _BY_SIGNAL.get(code, _OWN_LOGS.format(workload.app))


def _lifetime(seen: Seen) -> str:
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
