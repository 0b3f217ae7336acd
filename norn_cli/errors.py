"""The errors of the command: each has a sentence, a hint and an exit code.

Commands raise these; `main` prints them on stderr and exits with their code. A problem in a response (RFC 9457) becomes
a `Refused`, so that its sentence and hint reach the user as the server wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar


class ExitCode(IntEnum):
    """The exit statuses of `norn`; `docs/cli.md` lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    AUTH = 4
    CONFLICT = 5
    JOB_FAILED = 6
    TIMED_OUT = 7
    WOULD_CHANGE = 8
    INTERRUPTED = 130


class CliError(Exception):
    """The base of all errors: `sentence` says what happened, `hint` what to do about it (may be empty).

    `word` is the server's stable code, such as `not_forged` (docs/errors.md); empty for errors that norn itself found.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, sentence: str, *, hint: str = "", word: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.word = word

    @property
    def code(self) -> int:
        """The exit status of this error."""
        return int(self.exit_code)

    @property
    def lines(self) -> list[str]:
        """The mistakes of a spec, one line each; empty for anything else."""
        return []


class Usage(CliError):
    """The command line is wrong, or does not say enough."""

    exit_code = ExitCode.USAGE


class Unreachable(CliError):
    """The server does not respond, or has stopped responding."""


class NotNorn(CliError):
    """The response does not come from a Norn server."""


class Missing(CliError):
    """The object that the user named does not exist on the server."""

    exit_code = ExitCode.NOT_FOUND


class JobFailed(CliError):
    """The job that the command waited for, or the run that it started, did not succeed."""

    exit_code = ExitCode.JOB_FAILED


class WaitedEnough(CliError):
    """`--timeout` has passed; the job continues on the server."""

    exit_code = ExitCode.TIMED_OUT


class Detached(CliError):
    """The user pressed Ctrl-C; the job continues on the server."""

    exit_code = ExitCode.INTERRUPTED


_BY_STATUS = {
    401: ExitCode.AUTH,
    403: ExitCode.AUTH,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    504: ExitCode.JOB_FAILED,
}

# The hints for error responses without a hint of their own.
_HINTS = {
    401: "set NORN_TOKEN, or norn context set NAME --token -; on the server's machine norn finds the one of norn up",
    403: "ask an admin for a token with more scopes or apps: norn token create NAME",
    429: "try again in a moment",
    503: "norn health",
}


class Refused(CliError):
    """The server refused; `problem` is the body of its response, `status` the HTTP status."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        sentence = str(problem.get("detail") or problem.get("title") or f"the server answered {status}")
        hint = str(problem.get("hint") or _HINTS.get(status, ""))
        super().__init__(sentence, hint=hint, word=str(problem.get("code", "")))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> int:
        """The exit status that belongs to the HTTP status; 1 for an HTTP status that is not in the table."""
        return int(_BY_STATUS.get(self.status, ExitCode.FAILED))

    @property
    def temporary(self) -> bool:
        """True if the same request may succeed in a moment."""
        return self.status in (429, 502, 503, 504)

    @property
    def lines(self) -> list[str]:
        """The mistakes of a spec as `file:line:col: field: message`; empty for every other refusal."""
        mistakes = self.problem.get("mistakes") or [] if self.word == "spec_invalid" else []
        return [mistake_line(mistake) for mistake in mistakes]


def mistake_line(mistake: Mapping[str, Any]) -> str:
    """Returns one mistake of a spec as `file:line:col: field: message (hint)`."""
    place = ":".join(str(mistake[key]) for key in ("file", "line", "column") if mistake.get(key) is not None)
    parts = [part for part in (place, mistake.get("field"), mistake.get("message")) if part]
    hint = f" ({mistake['hint']})" if mistake.get("hint") else ""
    return ": ".join(str(part) for part in parts) + hint
