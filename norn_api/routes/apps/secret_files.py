"""Encrypted files of secrets in the format of sops; workers import and export them, because only workers have the
server's private key.
"""

from __future__ import annotations

from flask import Response

from norn_api.routes.apps.specs import YAML
from norn_api.schemas.common import AppPath, WorkAccepted
from norn_api.schemas.jobs import NothingRequest
from norn_api.schemas.secrets import ExportedFile, ExportPath, ExportRequest, ServerKey
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of, text_body
from norn_api.web.replies import accepted, key, reply
from norn_api.web.request import current
from norn_tasks import dispatch
from norn_tasks.domain.errors import BadRequest
from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.store.apps import secrets
from norn_tasks.store.apps.files import secret_files

api = noun("secret files", "Files of secrets that sops encrypts and decrypts")
FILE_BODY = text_body("A file that sops encrypted with age", "application/yaml", "text/yaml", "text/plain")
LARGEST = 4 * 1024 * 1024
"""The maximum size of a file in bytes: enough for all secrets that an app may have, encrypted and encoded."""


@api.post("/api/apps/<app>/secrets/import", responses=responses_of(WorkAccepted, 202), request_body=FILE_BODY)
def import_secrets(path: AppPath) -> Response:
    """Sets the secrets that an encrypted file holds; a worker decrypts it."""
    body = current().raw(LARGEST, YAML)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadRequest("the file is not UTF-8 text", hint="send the file that sops wrote") from None
    if "\0" in text:
        raise BadRequest("the file is not text", hint="send the file that sops wrote")
    work = dispatch.request_import(norn().intake, path.app, text, actor=actor().name, key=key(body))
    return accepted(work, path.app, JobKind.IMPORT_SECRETS)


@api.post("/api/apps/<app>/secrets/export", responses=responses_of(WorkAccepted, 202))
def export_secrets(path: AppPath, body: ExportRequest) -> Response:
    """Writes the app's secrets into a file that only the owners of the given public keys can decrypt."""
    recipients = tuple(dict.fromkeys(body.recipients))
    work = dispatch.request_export(norn().intake, path.app, recipients, actor=actor().name, key=key())
    return accepted(work, path.app, JobKind.EXPORT_SECRETS)


@api.get("/api/apps/<app>/secrets/export/<id:job>", responses=responses_of(ExportedFile))
def get_export(path: ExportPath) -> Response:
    """Returns the file that an export has written; it is kept for at least an hour."""
    with norn().database.transaction() as tx:
        content = secret_files.exported(tx, path.app, path.job)
    return reply(ExportedFile(content=content))


@api.get("/api/secrets/key", responses=responses_of(ServerKey))
def get_key() -> Response:
    """Returns the server's public key, for which a file must be encrypted so that it can be imported."""
    with norn().database.transaction() as tx:
        return reply(ServerKey(recipient=secrets.recipient(tx)))


@api.post("/api/secrets/key/rotate", responses=responses_of(WorkAccepted, 202))
def rotate_key(body: NothingRequest) -> Response:
    """Makes a new key for the server, and encrypts all secrets again with it."""
    work = dispatch.request_key_rotation(norn().intake, actor=actor().name, key=key())
    return accepted(work, "", JobKind.ROTATE_KEY)
