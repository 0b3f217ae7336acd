"""The rules over words: each is a pattern, and what to write instead.

A pattern is matched against the prose of one docstring, one block of comments or one page. Code and quotations are
blanked in it, and `BLOCK` separates paragraphs, items of a list and cells of a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

BLOCK = "\x1f"
_START = rf"(?:\A|{BLOCK}|\n[ \t]*\n|[.;!?:]\s)\s*"
_SENTENCE = rf"(?:\A|{BLOCK}|\n[ \t]*\n|[.;!]\s)\s*"
_STATEMENT = rf"\b(?=[^?{BLOCK}]*?(?:[.;](?:\s|\Z)|\Z))"
"""Matches only inside a sentence that is no question: a full stop, a semicolon or the end comes before any question
mark.
"""


@dataclass(frozen=True)
class Rule:
    """A pattern that prose must not contain, and what to write instead."""

    name: str
    pattern: re.Pattern[str]
    instead: str


def _rule(name: str, pattern: str, instead: str, *, flags: int = 0) -> Rule:
    return Rule(name, re.compile(pattern, flags), instead)


RULES = (
    _rule(
        "answers", rf"{_START}Answers\b|\banswers\s+(?:whether|how\s+many|True|False|None)\b",
        "Returns",
    ),
    _rule("told", r"(?i)\b(?:told|tells?|telling)\b", "report, publish, say which, log, message, event"),
    _rule("so many", r"(?i)\bso\s+(?:many|much|few|long)\b", "the number's name; as long as"),
    _rule("any more", r"(?i)\bany\s*more\b(?!\s+than\b)", "no longer, still"),
    _rule(
        "who", rf"{_SENTENCE}Who(?:m|se)?{_STATEMENT}|;\s+whom?\b|\b(?:for|to|by|than|from|with|of)\s+who\b"
        r"|(?i:\bwho(?:so)?m?ever\b)",
        "a noun: the caller, the worker, the client",
    ),
    _rule(
        "what", rf"{_SENTENCE}(?:What|Which)(?:ever)?{_STATEMENT}|;\s+what(?:ever)?\b",
        "a noun: the rest, the value, the reason",
    ),
    _rule(
        "stands", r"(?i)(?<!-)\b(?:stands?|standing|stood)\b(?!-|\s+for\b|\s+in\s+for\b)",
        "state, is registered, remains",
    ),
    _rule(
        "way out",
        r"(?i)\bways?\s+out\b|\bin\s+(?:the|its|their)\s+way\b(?!\s+(?:that|it|they|an?|the)\b)"
        r"|\b(?:give|gives|gave|giving|given)\s+(?:\w+\s+){0,3}way\b|\bthe\s+way\s+is\b",
        "hint, blocks, yields",
    ),
    _rule("by hand", r"(?i)\bby\s+hand\b", "manual, manually"),
    _rule("meanwhile", r"(?i)\b(?:meanwhile|anew)\b", "at the same time, again"),
    _rule(
        "word",
        r"(?i)\bwithout\s+a\s+word\b|['’]s\s+(?:own\s+)?words?\b|\b(?:last|stable|own|our|takes|send)\s+words?\b"
        r"(?!\s+of\s+(?:the|a)\s+(?:command|line))|\bthe\s+one\s+word\b|\b(?:word\s+(?:for|on)|(?<!next\s)(?<!first\s)word\s+of|a\s+word)\b(?!\s+(?:the|a)?\s*command)",
        "message, name, state, vocabulary",
    ),
    _rule("come to", r"(?i)\b(?:comes?|coming|came)\s+to\b", "the result, reaches"),
    _rule(
        "for it",
        r"(?i)\b(?!(?:wait|ask|look|search|work|pay|vot)(?:s|ed|ing)?\b|(?:room|space|memory|slot|need|reason|made)\b)"
        r"\w+\s+for\s+it\b",
        "name it",
    ),
    _rule("on its own account", r"(?i)\bon\s+(?:its|their|his|your|our)\s+own\s+account\b", "by itself"),
    _rule(
        "metaphor",
        r"(?i)\b(?:ears?|hearts?|watchm[ae]n|nudg(?:e|es|ed|ing)|deeds?|clothes|to\s+the\s+brim|to\s+and\s+fro"
        r"|twice\s+is\s+as\s+good\s+as\s+once|(?:laid|lay|lays|laying)\s+(?:\w+\s+)?in)\b",
        "the word of the trade: listener, lease, periodic task, wake-up, recreated",
    ),
)  # fmt: skip

FIRST = _rule(
    "first word", r"\A\s*(?:Answer|Answers|Who\w*|Whom|What\w*|Whichever|Which)\b", "Returns …, or a noun phrase"
)
"""Holds for docstrings only, as VERB does."""

VERB = _rule("verb first", r"\A\s*(?![A-Z][a-z]+(?:-[a-z]+)*s\b)(?=\S)", "Returns / Raises / Writes / Sends … + object")
"""Holds only for the docstring of a function that is neither a property nor a command (a command's docstring is its
help).
"""

IN_MESSAGES = tuple(
    replace(rule, name=f"message: {rule.name}") for rule in RULES if rule.name not in ("answers", "metaphor", "for it")
)
"""The rules for messages of the program. Three rules are left out, because a message may say that a server "answers",
and may quote a word that is a metaphor elsewhere.
"""
