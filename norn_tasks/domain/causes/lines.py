"""Converts lines of a program's output into plain text, and removes lines that say nothing about a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

LONGEST = 240
"""The most characters of a line that a sentence quotes."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_BUILDKIT = re.compile(r"#\d+ (?:\d+\.\d+ )?")
_LEVEL = r"(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|error|fatal|critical|panic)"
_STAMP = re.compile(
    r"""\A[\[(]?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?[\])]?[\s:|-]*
    (?:\[\d+\]\s*)?""",
    re.VERBOSE,
)
_WORD = re.compile(rf"\A(?:[\[(]{_LEVEL}[\])]|(?:ERROR|FATAL|CRITICAL|SEVERE)\b(?! ERROR))[\s:|-]*(?=\S)")

NOISE = re.compile(
    r"""
    \s*(?:at\s\S.*|\.\.\.\s\d+\s(?:more|common\sframes).*|File\s".*",\sline\s\d+.*|from\s\S+:\d+:in\s.*)  # frames
    |\s*[\^~\-=*_|+<>{}\[\]();,.]+\s*                                                # markers and rulers
    |Emitted\s'error'\sevent.*|\s*throw\s(?:er|err);.*|\[?npm\serror\]?\s*
    |\s*(?:goroutine\s\d+.*|exit\sstatus\s\d+|created\sby\s.*|\S+\.go:\d+\s\+0x.*|main\.\S+\(.*\))
    |Node\.js\sv\d.*|Require\sstack:|\s*-\s/\S+|node:internal/\S+|\s*(?:code|errno|syscall|path|address|port):\s.*
    |.*\brun\swith\s`RUST_BACKTRACE=.*|.*\bstack\sbacktrace:.*
    |npm\s(?:error|ERR!|notice|warn|WARN)\s*|npm\s(?:notice|warn|WARN)\b.*
    |npm\s(?:error|ERR!)\s(?:A\scomplete\slog|To\ssee\sa\slist|\s+npm\srun|Run\s.?npm\shelp|code\s|errno\s|path\s|
        command\s|workspace\s|location\s|Did\syou\smean|\s{2,}).*
    |>\s.*|.*\bA\scomplete\slog\sof\sthis\srun\b.*|\s+/\S*_logs/\S+
    |.*\b(?:Worker\s(?:exiting|failed)|Shutting\sdown:?|Reason:\sWorker\sfailed|Booting\sworker|Starting\sgunicorn|
        Listening\sat:|Using\sworker:|Handling\ssignal:|Worker\s\(pid:\d+\)).*
    |.*"(?:GET|HEAD)\s\S*\sHTTP/1\.[01]"\s\d{3}.*|.*norn-health.*
    |\s*(?:\[notice\]|\[INFO\]|INFO[:\s\[]|DEBUG[:\s\[]).*
    |.*\[(?:notice|internal)\].*|.*\bA\snew\srelease\sof\spip\b.*|\[notice\].*|.*\bpip\sinstall\s--upgrade\spip\b.*
    |During\shandling\sof\sthe\sabove\sexception.*|The\sabove\sexception\swas\sthe\sdirect\scause.*
    |Traceback\s\(most\srecent\scall\slast\):|The\scommand\s'.*'\sreturned\sa\snon-zero\scode:\s\d+|Aborted.*
    |Removing\sintermediate\scontainer.*|\s--->\s.*|Step\s\d+/\d+\s:.*|.*\bbash_profile\b.*|Usage:.*
    """,
    re.VERBOSE,
)
"""Lines that appear together with failures but never name the cause."""


def cleaned(lines: Iterable[str]) -> list[str]:
    """Returns the lines without escape sequences, BuildKit's prefixes, and white space at their ends."""
    return [_BUILDKIT.sub("", _ESCAPES.sub("", line), count=1).rstrip() for line in lines]


def latest(lines: Iterable[str], pattern: re.Pattern[str]) -> str | None:
    """Returns the last line that matches the pattern, as a sentence quotes it; None if no line matches."""
    signs = (line for line in reversed(cleaned(lines)) if pattern.search(line) and not NOISE.fullmatch(line))
    return next(map(quoted, signs), None)


def quoted(line: str) -> str:
    """Returns a line as a sentence quotes it: without line ends, without a time and level at its beginning, and
    shortened.
    """
    text = " ".join(_message(line).split())
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    bare = _WORD.sub("", _STAMP.sub("", text, count=1), count=1) or text
    return bare if len(bare) <= LONGEST else f"{bare[: LONGEST - 1]}…"


def _message(line: str) -> str:
    """Returns the message of a line that a structured logger wrote as JSON; any other line is returned unchanged."""
    if not (line.lstrip().startswith("{") and line.endswith("}")):
        return line
    try:
        found: Any = json.loads(line)
    except ValueError:
        return line
    words = [found.get(key) for key in ("message", "msg", "event", "error", "err", "exception")]
    said = [word if isinstance(word, str) else _inner(word) for word in words if word]
    return ": ".join(dict.fromkeys(filter(None, said))) or line


def _inner(word: Any) -> str:
    return str(word.get("message") or "") if isinstance(word, dict) else ""
