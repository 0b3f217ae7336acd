"""Hides an app's secrets in the output, the notes and the problems of its jobs; all of these pass through this
module.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.jobs.claimed import Job
from norn_tasks.domain.jobs.job import Problem
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Say, Vault


def known_secrets(job: Job, vault: Vault) -> Redaction:
    """Returns the secrets to hide for this job. A secret that cannot be decrypted is left out, because no container of
    the job ever got it.
    """
    return Redaction(_opened(job, vault))


def _opened(job: Job, vault: Vault) -> Iterator[Secret]:
    for sealed in job.sealed:
        try:
            yield vault.open(sealed)
        except SecretsLocked:
            continue


@contextmanager
def hiding(hidden: Redaction, say: Say) -> Iterator[Say]:
    """Yields a function `say` that hides the secrets, even if they arrive in pieces. Text that it holds back is passed
    on at the end.
    """
    if not hidden:
        yield say
        return
    redactor, lock = hidden.stream(), threading.Lock()

    def said(text: str) -> None:
        with lock:
            say(redactor.feed(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))

    try:
        yield said
    finally:
        say(redactor.end().decode("utf-8", "surrogatepass"))


def hidden_problem(hidden: Redaction, problem: Problem) -> Problem:
    """Returns the problem, with secrets in its sentence and hint hidden."""
    return Problem(problem.code, hidden.of_text(problem.sentence), hidden.of_text(problem.hint))


def hidden_learned(hidden: Redaction, learned: Learned) -> Learned:
    """Returns the result of a step, with secrets in its note and problem hidden."""
    failed = hidden_problem(hidden, learned.failed) if learned.failed is not None else None
    return replace(learned, note=hidden.of_text(learned.note), failed=failed)
