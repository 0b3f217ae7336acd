"""Applies the rules in their order, to find why a container has ended or is not ready, or why a build has failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from norn_tasks.domain.causes import answers, files, languages, listening, network, program
from norn_tasks.domain.causes.builds import cause_in_build
from norn_tasks.domain.causes.evidence import Cause, Evidence, Rule
from norn_tasks.domain.causes.telling import line_of_tests, names_a_test, telling_line

OF_AN_END: tuple[Rule, ...] = (
    program.not_executable,
    program.binary_as_script,
    program.windows_line_ends,
    program.missing_library,
    files.read_only,
    files.full,
    languages.memory,
    network.in_use,
    network.password,
    network.certificate,
    network.refused,
    network.unknown,
    network.unreachable,
    network.database,
    files.locked,
    files.denied,
    languages.script,
    languages.module,
    languages.syntax,
    languages.variable,
    program.missing_program,
    files.missing,
)
"""The rules for a container that has ended. They read the line of its output that names the error."""

ANYWHERE: tuple[Rule, ...] = (
    program.not_executable,
    program.binary_as_script,
    program.windows_line_ends,
    program.missing_library,
    files.read_only,
    files.full,
    languages.memory,
    network.in_use,
    network.refused,
    network.unknown,
    languages.script,
)
"""The rules that are also applied to all other lines, because the signs that they look for are unmistakable."""

OF_SILENCE: tuple[Rule, ...] = (
    listening.wrong_address,
    listening.wrong_port,
    listening.waiting,
    listening.says_another,
    network.refused,
    network.unknown,
    network.unreachable,
    listening.busy_or_silent,
)
"""The rules for a container that runs, but does not listen on its port."""

OF_AN_ANSWER = (
    answers.speaks_tls,
    answers.refuses_the_host,
    answers.wants_a_login,
    answers.forbids,
    answers.has_no_page,
    answers.fails,
)
"""The rules for a bad answer to a health check."""


def cause_of_end(evidence: Evidence, *, tests: bool = False) -> Cause:
    """Returns the cause of the end of a container; its text is empty if the container wrote nothing.

    `tests`: the container ran tests, so the line that names the failed test is preferred.
    """
    line = line_of_tests(evidence.lines) if tests else telling_line(evidence.lines)
    alone = replace(evidence, lines=(line,), around=evidence.lines)
    found = _first(OF_AN_END, alone) or _first(ANYWHERE, evidence)
    if found is None:
        return Cause(line)
    return Cause(line, found.hint) if tests and names_a_test(line) else found


def cause_of_silence(evidence: Evidence) -> Cause:
    """Returns the reason why a running container cannot be reached on its port."""
    return next(found for rule in OF_SILENCE if (found := rule(evidence)))


def cause_of_answer(evidence: Evidence, status: int | None) -> Cause:
    """Returns the cause of a bad answer to a health check; its text may be empty. `status` is None if there was no
    answer.
    """
    for rule in OF_AN_ANSWER:
        if found := rule(evidence, status):
            return found
    if status is None:
        return Cause(telling_line(evidence.lines))
    return Cause("")


def _first(rules: tuple[Rule, ...], evidence: Evidence) -> Cause | None:
    return next((found for rule in rules if (found := rule(evidence))), None)


def cause_of_build(lines: Iterable[str]) -> Cause | None:
    """Returns the cause that the output of a failed build step names; None if the step wrote nothing."""
    read = list(lines)
    last = telling_line(read)
    return cause_in_build(read) or (Cause(last) if last else None)
