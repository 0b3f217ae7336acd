"""Warnings that the lines of an app, or of all apps, cannot be collected."""

from __future__ import annotations

import logging


class CollectingWarnings:
    """Writes warnings to a logger, but not the same warning about the same subject twice in a row."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last: dict[str, str] = {}

    def say(self, about: str, sentence: str) -> None:
        """Writes that logs of `about` are not collected, and why."""
        if self._last.get(about) != sentence:
            self._last[about] = sentence
            self._log.warning("logs of %s are not collected: %s", about, sentence)

    def clear(self, about: str) -> None:
        """Records that logs of `about` are collected, so that the next warning about them is written again."""
        self._last.pop(about, None)
