"""The log lines of the API's processes on stderr: sentences with ids, as text for people or as JSON.

One renderer formats Norn's own lines, the standard library's, and gunicorn's (its parent process writes some before
Norn's application exists). Every line that a request causes has the request's id.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from gunicorn.glogging import Logger

from norn_tasks.settings import Settings, load


def formatter(settings: Settings) -> logging.Formatter:
    """Returns the formatter of every line."""
    shape = settings.log_format
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if shape == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    return structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=_shared())


def configure(settings: Settings) -> None:
    """Sends the lines of structlog and of the standard library through one renderer."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(settings))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


class GunicornLog(Logger):  # type: ignore[misc]
    """Formats gunicorn's own lines like Norn's: `--logger-class norn_api.logs.GunicornLog`."""

    def setup(self, cfg: Any) -> None:
        """Sets up gunicorn's handlers with Norn's formatter."""
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(formatter(load()))
