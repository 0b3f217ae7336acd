"""Picks the line of a program's output that names the cause of its end: the last error that a language reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from norn_tasks.domain.causes.lines import NOISE, cleaned, quoted

_NPM = re.compile(r"npm (?:error|ERR!) ")
_NPM_WORD = re.compile(r"(?:notarget|ERESOLVE|Error:|\d{3}|enoent|syscall \w+|gyp ERR!) ")
_STRONG = re.compile(
    r"""
    (?:Uncaught\s|Exception\sin\sthread\s"[^"]*"\s|Caused\sby:\s|Unhandled\sexception[.:]\s|\[cause\]:\s)?
      (?:[\w.$:]+[.$:])?(?:[A-Z]\w*)?(?:Error|Exception|Failure|Configured|Interrupt|NotFound|DoesNotExist)\b
      (?:\s\[\w+\])?(?::\s.*|\s*$)                                               # Python, node, Java, .NET
    |panic:\s.*|fatal\serror:\s.*                                                # Go
    |\S+\.(?:rb|ru):\d+:in\s.*\(.+\)$                                            # Ruby
    |(?:PHP\s)?(?:Fatal|Parse)\serror:\s+.*                                      # PHP
    |thread\s'.*'(?:\s\(\d+\))?\spanicked\sat\s.*                                # Rust
    |\*\*\s\(\w[\w.]*\)\s.*                                                      # Elixir
    |(?:/\S+|\S*sh):\s(?:line\s)?(?:\d+:\s)?\S.*(?:not\sfound|not\sset|unbound\svariable|denied|No\ssuch\sfile|
        bad\sinterpreter|[Ss]yntax\serror|unexpected|cannot\s|can't\s).*                  # shells
    |\[FATAL\stini\s\(\d+\)\]\s.*|exec\s\S+:\s.*|.*\[emerg\]\s.*|E:\s.*|.*\bFATAL:\s.*|env:\s.*
    """,
    re.VERBOSE,
)
_WEAK = re.compile(
    r"error|fatal|panic|fail|cannot|can't|could not|couldn't|unable|denied|refused|missing|not found|invalid|required"
    r"|must |unexpected|no such|not set|undefined|unknown|abort|exception|unreachable|timed? ?out|already|exceeded"
    r"|not allowed|unsupported|locked|waiting",
    re.IGNORECASE,
)
_OF_TESTS = re.compile(
    r"(?:FAILED|ERROR) \S+(?:::| - )\S.*|\s*(?:not ok \d+ |✖ |✗ |● |--- FAIL: ).*"
    r"|E {3}(?:\w[\w.]*(?:Error|Exception)\b|assert ).*"
)
_RUST = re.compile(r"thread '.*'(?: \(\d+\))? panicked at \S+:\d+:\d+:$")
_SPRING = "Description:"


def telling_line(lines: Sequence[str]) -> str:
    """Returns the line that names the cause, as a sentence quotes it; empty if nothing was written."""
    read = cleaned(lines)
    return quoted(next(_candidates(read), ""))


def names_a_test(line: str) -> bool:
    """Returns True for a line with which a test runner names a failed test."""
    return bool(_OF_TESTS.fullmatch(line) or _OF_TESTS.fullmatch(f"E   {line}"))


def line_of_tests(lines: Sequence[str]) -> str:
    """Returns the line that names a failed test, or else the line that names the cause."""
    read = cleaned(lines)
    failed = [line for line in read if _OF_TESTS.fullmatch(line)]
    named = [line for line in failed if line.startswith(("FAILED ", "ERROR "))]
    return quoted((named or failed)[0].strip().removeprefix("E  ")) if failed else telling_line(lines)


def _candidates(read: list[str]) -> Iterator[str]:
    """Yields lines, the most likely cause first."""
    kept = [line.strip() for line in read if line.strip() and not NOISE.fullmatch(line)]
    yield from _of_npm(kept)
    yield from _of_python(read)
    yield from _on_a_later_line(read)
    yield from (line for line in reversed(kept) if _STRONG.fullmatch(_bare(line)))
    yield from (line for line in reversed(kept) if _WEAK.search(line))
    yield from reversed(kept)


def _bare(line: str) -> str:
    return quoted(line)


def _of_npm(kept: list[str]) -> Iterator[str]:
    """Yields npm's own error if the output ends with one, unless it only reports that a script failed.

    In that case, the script's own error is above npm's.
    """
    said = [_NPM_WORD.sub("", _NPM.sub("", line).strip(), count=1) for line in kept if _NPM.match(line)]
    if said and kept and _NPM.match(kept[-1]) and not re.match(r"Lifecycle script|Exit status|.*@\S* \w+: `", said[0]):
        yield said[0] if len(said) == 1 or not said[0].endswith((" or", " and", ",")) else f"{said[0]} {said[1]}"


def _of_python(read: list[str]) -> Iterator[str]:
    """Yields the line after the stack frames of the last traceback."""
    starts = [place for place, line in enumerate(read) if line.endswith("Traceback (most recent call last):")]
    if starts:
        after = (line for line in read[starts[-1] + 1 :] if line and not line[0].isspace() and line[0] not in "+|")
        yield from (line for line in list(after)[:1] if re.match(r"[A-Za-z_][\w.]*(?::|$)", line))


def _on_a_later_line(read: list[str]) -> Iterator[str]:
    """Yields the message of a Rust panic or of a Spring report, which is on the following line."""
    for place, line in reversed(list(enumerate(read))):
        if _RUST.fullmatch(line) or line == _SPRING:
            yield from [each for each in read[place + 1 :] if each.strip()][:1]
