"""Messages of Kubernetes: extracts the part of a message that a person needs, and looks up its cause in tables.

Each component words its messages as it likes and changes them between versions. A table therefore looks for a few words
that both old and new versions print. If no row applies, the message itself is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause

LONGEST = 240
"""The most characters of a message in a sentence."""
_RPC = re.compile(r"rpc error: code = \w+ desc = ")


@dataclass(frozen=True)
class Reading:
    """A row of a table: a message with these words has this cause."""

    pattern: re.Pattern[str]
    """The words, with groups for the names in them."""
    cause: RolloutCause
    """The cause."""
    sentence: str
    """The sentence; names in braces are replaced with the groups, and with the values that the caller passes."""


def reading(pattern: str, cause: RolloutCause, sentence: str) -> Reading:
    """Returns a row of a table, whose words match in upper and lower case."""
    return Reading(re.compile(pattern, re.IGNORECASE), cause, sentence)


def read(message: str, table: Sequence[Reading], **names: str) -> tuple[RolloutCause, str] | None:
    """Returns the cause and the sentence of the first row that applies to a message."""
    for row in table:
        if found := row.pattern.search(message):
            groups = {name: value for name, value in found.groupdict().items() if value is not None}
            return row.cause, row.sentence.format(**{"said": brief(message), **names, **groups})
    return None


def brief(message: str) -> str:
    """Returns a message on one line, shortened if it is too long, without the prefix that remote calls add."""
    line = " ".join(_RPC.sub("", message).split()).rstrip(".: ")
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
