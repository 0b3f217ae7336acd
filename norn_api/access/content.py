"""The content policy of a route: headers that keep a browser from treating its response as a page of Norn."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from werkzeug.datastructures import Headers


class ContentPolicy(StrEnum):
    """The content policies. Each value is sent as the header Content-Security-Policy, even if the view has set another
    one.
    """

    DATA = "default-src 'none'; frame-ancestors 'none'"
    """Data of the API: a browser that shows it loads nothing else."""
    PAGE = (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    """Norn's page: its scripts and styles are separate files from this server, and nothing is inline."""
    DOCS = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    """The API's documentation; its script writes styles into the page."""
    FOREIGN = "sandbox allow-scripts allow-forms"
    """The output of a function. A page in it has an origin of its own, and gets none of Norn's cookies
    (docs/security.md).
    """

    def apply(self, headers: Headers) -> None:
        """Sets the headers of this policy."""
        headers["Content-Security-Policy"] = str(self)
        headers["X-Content-Type-Options"] = "nosniff"
        if self is not ContentPolicy.FOREIGN:
            headers["Referrer-Policy"] = "no-referrer"


POLICIES: Mapping[str, ContentPolicy] = {
    "/": ContentPolicy.PAGE,
    "/assets/<path:file>": ContentPolicy.PAGE,
    "/api/docs": ContentPolicy.DOCS,
    "/api/docs/<path:file>": ContentPolicy.DOCS,
    "/fn/<app>": ContentPolicy.FOREIGN,
    "/fn/<app>/<rest:rest>": ContentPolicy.FOREIGN,
}
"""The routes with a policy other than DATA."""


def policy_of(rule: str | None) -> ContentPolicy:
    """Returns the content policy of a route; DATA for a route that is not listed, and for a request without a route."""
    return POLICIES.get(rule or "", ContentPolicy.DATA)
