"""Adds the cause of a failure to the verdict on a run, a call, a command or a test."""

from __future__ import annotations

from dataclasses import replace

from norn_tasks.domain.causes.evidence import Evidence
from norn_tasks.domain.causes.files import read_only
from norn_tasks.domain.causes.finding import cause_of_end
from norn_tasks.domain.jobs.execution import ContainerExit, ExecutionVerdict

_BY_ITSELF = ("exit", "not_runnable", "signalled")
_LINES = 200


def with_cause(verdict: ExecutionVerdict, known: Evidence, *, tests: bool = False) -> ExecutionVerdict:
    """Returns the verdict. If the code failed by itself, the verdict's sentence and hint name the cause.

    `known`: the facts about the container, without its output. `tests`: the container ran tests.
    """
    if verdict.cause not in _BY_ITSELF:
        return verdict
    evidence = replace(known, lines=_lines(verdict.ended), exit_code=verdict.ended.exit_code)
    cause = cause_of_end(evidence, tests=tests)
    sentence = f"{verdict.sentence}: {cause.text}" if cause.text else verdict.sentence
    return replace(verdict, sentence=sentence, hint=cause.hint or verdict.hint)


def of_a_call(verdict: ExecutionVerdict, known: Evidence) -> ExecutionVerdict:
    """Returns the verdict on a call, with a cause only if that is a read-only root file system. The cause does not
    quote the output, because the verdict is shown to the caller of the function.
    """
    if verdict.cause not in _BY_ITSELF:
        return verdict
    cause = read_only(replace(known, lines=_lines(verdict.ended)))
    if cause is None or not known.read_only:
        return verdict
    return replace(verdict, sentence=f"{verdict.sentence}: its root file system is read-only", hint=cause.hint)


def _lines(ended: ContainerExit) -> tuple[str, ...]:
    """Returns the last lines of standard output, followed by the last lines of standard error, which has the errors."""
    lines = ended.stdout.text().splitlines()[-_LINES:] + ended.stderr.text().splitlines()[-_LINES:]
    return tuple(lines)
