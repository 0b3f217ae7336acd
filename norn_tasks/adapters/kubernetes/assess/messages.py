"""Messages of Kubernetes: extracts the part that a person needs, and looks up the cause in tables.

Each component of Kubernetes words its messages differently, and changes them between versions. So a table looks for a
few words that both old and new versions print. If no row of the table matches, the message itself is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause

LONGEST = 240
"""The most characters of a quoted message."""
_RPC = re.compile(r"rpc error: code = \w+ desc = ")


@dataclass(frozen=True)
class Reading:
    """A row of a table: a message that contains these words has this cause."""

    pattern: re.Pattern[str]
    """The words, with groups for the names in them."""
    cause: RolloutCause
    """The cause."""
    sentence: str
    """The sentence for people; names in braces are replaced with the groups, and with values that the caller passes."""


def reading(pattern: str, cause: RolloutCause, sentence: str) -> Reading:
    """Returns a row of a table; upper and lower case do not matter in its words."""
    return Reading(re.compile(pattern, re.IGNORECASE), cause, sentence)


def read(message: str, table: Sequence[Reading], **names: str) -> tuple[RolloutCause, str] | None:
    """Returns the cause and the sentence of the first row that matches a message; None if no row does."""
    for row in table:
        if found := row.pattern.search(message):
            groups = {name: value for name, value in found.groupdict().items() if value is not None}
            return row.cause, row.sentence.format(**{"said": brief(message), **names, **groups})
    return None


def brief(message: str) -> str:
    """Returns a message on one line, shortened if necessary, without the prefix that remote procedure calls add."""
    line = " ".join(_RPC.sub("", message).split()).rstrip(".: ")
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
