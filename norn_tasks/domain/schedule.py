"""Words of the cron ledger: the verdict that every occurrence has, and the schedule as its row keeps it."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What became of an occurrence."""

    FIRED = "fired"
    SKIPPED_OVERLAP = "skipped_overlap"
    SKIPPED_PAUSED = "skipped_paused"
    MISSED = "missed"
    CAUGHT_UP = "caught_up"
    FAILED_TO_START = "failed_to_start"


class Trigger(StrEnum):
    """What made a run start."""

    SCHEDULE = "schedule"
    CATCHUP = "catchup"
    MANUAL = "manual"
