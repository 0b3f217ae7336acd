"""Maintenance: visitors of an app's public name get a page instead of the app."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape

MESSAGE_MAX, PAGE_MAX = 500, 64 * 1024
"""The most characters of a message, and of a page."""


@dataclass(frozen=True)
class Maintenance:
    """The maintenance of an app: the message to its visitors, who began it, and when."""

    message: str
    began_by: str
    began_at: datetime

    @property
    def note(self) -> str:
        """Returns a sentence that describes the maintenance."""
        said = f": {self.message}" if self.message else ""
        return f"in maintenance since {self.began_at:%Y-%m-%d %H:%M} UTC, by {self.began_by}{said}"


def page_of(app: str, message: str) -> str:
    """Returns Norn's own page for an app in maintenance."""
    said = escape(message) or "It is being maintained. Please try again later."
    return _PAGE.format(title=escape(f"{app} is in maintenance"), message=said)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto 0; padding: 0 1.5rem }}
@media (prefers-color-scheme: dark) {{ body {{ background: #16181d; color: #e8e8e8 }} }}
</style>
<h1>{title}</h1>
<p>{message}</p>
</html>
"""
