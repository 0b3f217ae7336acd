"""Secrets of an app: set, unset, listed by name; no response ever holds a value."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, g

from norn_api.schemas.common import AppPath, ListOf
from norn_api.schemas.secrets import SecretPath, SecretResponse, SecretsRequest
from norn_api.services import actor, norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items, nothing, once
from norn_tasks import dispatch
from norn_tasks.domain.secret import secret_name, secret_value
from norn_tasks.store.apps import secrets
from norn_tasks.store.database.session import Tx
from norn_tasks.store.status import apps

api = noun("secrets", "Secrets of apps: values that cannot be read again")
LISTED = responses_of(ListOf[SecretResponse])


@api.get("/api/apps/<app>/secrets", responses=LISTED)
def list_secrets(path: AppPath) -> Response:
    """Lists an app's secrets by name, also those that its infraspec names but nobody has set; never shows a value."""
    return _listed(path.app)


@api.put("/api/apps/<app>/secrets", responses=LISTED)
def set_secrets(path: AppPath, body: SecretsRequest) -> Response:
    """Sets secrets and lists all; replicas get them with the next deploy or restart, runs and calls at once."""
    g.about = ", ".join(map(secret_name, body.values))
    values = {name: secret_value(name, text) for name, text in body.values.items()}
    apps_dir, by = norn().settings.apps_dir, actor().name

    def change(tx: Tx) -> int:
        dispatch.set_secrets(tx, apps_dir, path.app, values, actor=by)
        return 200

    once(change, slowly=True)
    return _listed(path.app)


@api.delete("/api/apps/<app>/secrets/<secret>", responses=responses_of(None, 204))
def unset_secret(path: SecretPath) -> Response:
    """Removes a secret; containers that have it keep it until they are replaced."""
    name, by = secret_name(path.secret), actor().name

    def change(tx: Tx) -> int:
        dispatch.unset_secret(tx, norn().settings.apps_dir, path.app, name, actor=by)
        return 204

    once(change)
    return nothing()


def _listed(app: str) -> Response:
    with norn().database.transaction() as tx:
        spec = apps.record(tx, norn().settings.apps_dir, app).spec
        known = secrets.listed(tx, app)
    named = spec.secrets if spec is not None else ()
    credentials = spec.services.credentials() if spec is not None else ()
    return items(SecretResponse, _with_their_names(known, named, credentials))


def _with_their_names(
    known: tuple[secrets.SecretView, ...], named: tuple[str, ...], credentials: tuple[str, ...]
) -> Iterator[SecretResponse]:
    there = {each.name: each for each in known}
    for name in sorted(there.keys() | set(named)):
        one = there.get(name)
        yield SecretResponse(
            name=name,
            version=one.version if one else None,
            set_by=one.set_by if one else None,
            at=one.at if one else None,
            named=name in named or name in credentials,
            missing=one is None,
        )
