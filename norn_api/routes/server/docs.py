"""The OpenAPI document and its pages. The pages load nothing from other machines."""

from __future__ import annotations

from importlib.resources import files
from typing import cast

from flask import Blueprint, Response, current_app
from flask_openapi.openapi import OpenAPI

from norn_tasks.domain.errors import NotFound

pages = Blueprint("docs", __name__)
_SWAGGER = files("flask_openapi_swagger").joinpath("templates", "swagger")
_FILES = {
    "swagger-ui.css": (("css", "swagger-ui.css"), "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (("js", "swagger-ui-bundle.js"), "text/javascript; charset=utf-8"),
    "swagger.svg": (("images", "swagger.svg"), "image/svg+xml"),
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Norn API</title>
<link rel="icon" href="docs/swagger.svg">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true});\n'


@pages.get("/api/openapi.json")
def get_document() -> Response:
    """Returns the OpenAPI document."""
    text = current_app.json.dumps(cast(OpenAPI, current_app).api_doc)
    return Response(text, content_type="application/json")


@pages.get("/api/docs")
def get_docs() -> Response:
    """Returns the page that shows the document."""
    return Response(_PAGE, content_type="text/html; charset=utf-8")


@pages.get("/api/docs/<path:file>")
def get_docs_file(file: str) -> Response:
    """Returns a file of the page."""
    if file == "start.js":
        return Response(_START, content_type="text/javascript; charset=utf-8")
    if file not in _FILES:
        raise NotFound("the API's pages have no such file", hint="GET /api/docs")
    parts, content_type = _FILES[file]
    return Response(_SWAGGER.joinpath(*parts).read_bytes(), content_type=content_type)
