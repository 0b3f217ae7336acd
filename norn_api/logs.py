"""What the API process tells on stderr: sentences with ids, as text for people or as JSON for machines."""

from __future__ import annotations

import logging
import sys

import structlog

from norn_tasks.settings import Settings


def configure(settings: Settings) -> None:
    """Sets the log's shape for this process."""
    last = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
