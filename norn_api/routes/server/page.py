"""Norn's page: the files that its build wrote; if there are none, a plain page says how to build it."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.http import generate_etag
from werkzeug.security import safe_join

from norn_tasks.domain.errors import NotFound

pages = Blueprint("page", __name__)
DIST = Path(str(files("norn_api").joinpath("ui", "dist")))
"""The directory that the build writes: index.html and assets/, where each file's name has a hash of its content."""
_TYPES = {
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
    ".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}  # fmt: skip
_FOREVER = "public, max-age=31536000, immutable"
_LEAST = 1000
"""Files of fewer bytes are sent uncompressed."""
_MISSING = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Norn</title></head>
<body>
<h1>Norn is running</h1>
<p>Its page was not built on this machine. The program that builds it is in a checkout of Norn:</p>
<pre>deploy/prepare page</pre>
<p>The command line and the API do all that the page does: <code>norn status</code> lists the apps, and
<a href="/api/docs">/api/docs</a> shows the API.</p>
</body>
</html>
"""


@pages.get("/")
def get_page() -> Response:
    """Returns the page; each time, a browser has to ask whether it has changed."""
    path = DIST / "index.html"
    if not path.is_file():
        return _sent(_MISSING, ".html", "no-cache")
    return _sent(path.read_bytes(), ".html", "no-cache")


@pages.get("/assets/<path:file>")
def get_asset(file: str) -> Response:
    """Returns a file of the page, which a browser may keep forever: if its content changes, so does its name."""
    found = safe_join(str(DIST / "assets"), file)
    suffix = Path(file).suffix
    if found is None or suffix not in _TYPES or not Path(found).is_file():
        raise NotFound("Norn's page has no such file", hint="load the page again")
    return _sent(Path(found).read_bytes(), suffix, _FOREVER)


def _sent(content: bytes, suffix: str, caching: str) -> Response:
    packed = (
        len(content) >= _LEAST
        and request.accept_encodings.quality("gzip") > 0
        and not _TYPES[suffix].startswith("image/p")
    )
    response = Response(_packed(content) if packed else content, content_type=_TYPES[suffix])
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = caching
    response.headers["Vary"] = "Accept-Encoding"
    response.set_etag(generate_etag(content), weak=True)
    response.make_conditional(request.environ)
    return response


@lru_cache(64)
def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)
