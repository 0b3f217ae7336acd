"""Uploaded sources: archives of directories, which are kept until no release needs them."""

from __future__ import annotations

from flask import Response

from norn_api.schemas.apps import SourceKept
from norn_api.schemas.common import AppPath
from norn_api.services import actor, norn, shares
from norn_api.web.openapi import file_body, noun, responses_of
from norn_api.web.replies import reply
from norn_api.web.request import current
from norn_api.web.streams import connection
from norn_tasks.dispatch import keep_source

KINDS = ("application/gzip", "application/x-gzip", "application/x-tar+gzip")
_HINT = "exclude large files with .dockerignore, or raise NORN_SOURCE_MAX on the server"
api = noun("sources", "Uploaded sources")


@api.put(
    "/api/apps/<app>/source",
    responses=responses_of(SourceKept, _201=SourceKept),
    request_body=file_body("A tar.gz of the directory that holds infraspec.yaml", *KINDS),
)
def put_source(path: AppPath) -> Response:
    """Keeps a source for deploys of this app: 201 if it is new, 200 if the same tree is kept already."""
    services = norn()
    give_back = services.uploads.take(shares=shares())
    try:
        connection().guard()  # if a client disappears, its place is released
        limit, room = services.settings.source_max, services.settings.data_dir
        kept = keep_source(
            services.intake, path.app, lambda: current().spooled(limit, KINDS, _HINT, room), actor=actor().name
        )
    finally:
        give_back()
    tree = kept.tree
    answer = SourceKept(revision=tree.revision, files=tree.files, size=tree.size)
    return reply(answer, 201 if kept.new else 200)
