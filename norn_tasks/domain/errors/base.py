"""The base class of all errors."""

from __future__ import annotations

from typing import Any, ClassVar


class NornError(Exception):
    """A refusal or failure. `sentence` says what happened, and `hint` what to do about the problem (may be empty)."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, *, hint: str = "", **facts: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.facts = facts

    @property
    def rendered(self) -> str:
        """The text that a command prints: the sentence with its code, further lines, and the hint as the last line."""
        sentence, *more = self.sentence.split("\n")
        return "\n".join([f"error: {sentence} [{self.code}]", *more, *([f"hint: {self.hint}"] if self.hint else [])])
