"""Rules for causes in the app itself: a missing variable, module or script, a syntax error, or too little memory."""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence
from norn_tasks.domain.causes.lines import cleaned
from norn_tasks.domain.causes.telling import telling_line

_NAME = r"[A-Z][A-Z0-9_]{2,}|[A-Za-z_]\w*__\w+"
_VARIABLE = re.compile(
    rf"KeyError: ['\"](?P<key>{_NAME})['\"]|(?P<sh>\w+): (?:parameter (?:not set|null or not set)|unbound variable)"
    rf"|(?P<ruby>key not found: \"(?:{_NAME})\")|\$?['\"`]?(?P<said>{_NAME})['\"`]?\]? (?:environment variable )?"
    rf"(?:is |was |are )?(?:not (?:set|defined|found|provided|configured)|missing|undefined"
    rf"|required|must be|is required|empty)"
    rf"|(?:missing|required|undefined|set|no|need|expected|provide) (?:the |an? )?(?:required )?"
    rf"(?:env(?:ironment)?(?: variable)?s?|variable|setting|config\w*)?:? ?['\"`$]*(?P<after>{_NAME})\b",
    re.IGNORECASE,
)
_CASED = re.compile(rf"(?:{_NAME})")
_MODULE = re.compile(
    r"No module named '?(?P<py>[\w.]+)|Cannot find (?:module|package) '(?P<js>[^']+)'"
    r"|cannot load such file -- (?P<rb>\S+)"
    r"|(?:ClassNotFoundException|NoClassDefFoundError): (?P<java>\S+)|Class \"(?P<php>[^\"]+)\" not found"
    r"|no required module provides package (?P<go>[^\s;:]+)|Can't locate (?P<perl>\S+) in @INC"
    r"|Could not find (?P<gem>[\w-]+-[\d.]+)"
)
_SCRIPT = re.compile(r"Missing script: \"?([\w:.-]+)\"?")
_HEAP = re.compile(
    r"heap out of memory|OutOfMemoryError|^MemoryError|cannot allocate memory|std::bad_alloc|runtime: out of memory",
    re.I,
)
_SYNTAX = re.compile(r"SyntaxError|IndentationError|TabError|syntax error|Parse error|unexpected token", re.IGNORECASE)
_OURS = re.compile(r"\.{0,2}/|/app|/srv|/usr/src|app\b|main\b|server\b|index\b")


def variable(evidence: Evidence) -> Cause | None:
    """Returns a cause for an environment variable that the app wants and did not get."""
    line = telling_line(evidence.lines)
    found = _VARIABLE.search(line)
    names = (
        [name.split('"')[1] if '"' in name else name for name in found.groupdict().values() if name] if found else []
    )
    names = [name for name in names if _CASED.fullmatch(name) or (found and found["sh"])]
    if not names or names[0] in evidence.environment or names[0].isdigit():
        return None
    return Cause(line, f"the container has no variable {names[0]}: set it in env of infraspec.yaml, or as a secret")


def module(evidence: Evidence) -> Cause | None:
    """Returns a cause for a module, class or package that the image does not have."""
    line = telling_line(evidence.lines)
    found = _MODULE.search(line)
    if found is None:
        return None
    name = next(filter(None, found.groups()))
    if _OURS.match(name):
        return Cause(
            line, f"{name} is not in the image: COPY it in the Dockerfile, and look at WORKDIR and .dockerignore"
        )
    return Cause(line, f"{name} is not in the image: add it to the dependencies that the Dockerfile installs")


def script(evidence: Evidence) -> Cause | None:
    """Returns a cause for a script that package.json does not have."""
    for line in reversed(cleaned(evidence.lines)):
        if found := _SCRIPT.search(line):
            return Cause(
                f'Missing script: "{found[1]}"', f"add {found[1]} to scripts in package.json, or start another one"
            )
    return None


def memory(evidence: Evidence) -> Cause | None:
    """Returns a cause for a program that reports that its memory is used up, for example its language's heap."""
    line = telling_line(evidence.lines)
    if not _HEAP.search(line):
        line = next((each for each in reversed(cleaned(evidence.lines)) if _HEAP.search(each)), "")
    return (
        Cause(line.strip(), "raise resources.memory in infraspec.yaml, or the limit of its language") if line else None
    )


def syntax(evidence: Evidence) -> Cause | None:
    """Returns a cause for a syntax error, with the file and line that the language names."""
    line = telling_line(evidence.lines)
    if not _SYNTAX.search(line):
        return None
    place = next(
        (found for each in reversed(cleaned(evidence.around or evidence.lines)) if (found := _place(each))), ""
    )
    return Cause(f"{line} ({place})" if place and place not in line else line, "correct the code at that place")


def _place(line: str) -> str:
    found = re.search(r'File "([^"]+)", line (\d+)', line) or re.match(r"((?:file://)?/\S+\.\w+):(\d+)$", line)
    return f"{found[1]}:{found[2]}" if found else ""
