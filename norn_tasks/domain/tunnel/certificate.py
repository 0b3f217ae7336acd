"""A certificate of a public host name: its issuer, and how long it is valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Certificate:
    """A certificate that the edge presents for a name."""

    issuer: str
    """The organisation that issued it; if that is missing, the common name of the issuer."""
    since: datetime
    """The moment from which it is valid."""
    until: datetime
    """The moment until which it is valid."""

    @property
    def note(self) -> str:
        """The certificate, described in a few words."""
        return f"certificate of {self.issuer} until {self.until:%Y-%m-%d %H:%M} UTC"
