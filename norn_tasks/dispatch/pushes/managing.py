"""Creates, rotates and removes the webhook of a repository. Its secret is returned once, and stored encrypted."""

from __future__ import annotations

from norn_tasks.dispatch.pushes.api_key import ApiKey
from norn_tasks.domain.names import repo_url
from norn_tasks.domain.pushes.signature import fresh_secret
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps import webhooks
from norn_tasks.store.database.session import Tx


def create_webhook(tx: Tx, key: ApiKey, url: str, *, actor: str) -> tuple[int, Secret]:
    """Creates the webhook of the repository at an address; raises InvalidRequest, Conflict or SecretsLocked."""
    repo_url(url)
    secret = Secret(fresh_secret())
    return webhooks.create(tx, url, key.seal(secret), actor=actor), secret


def rotate_webhook(tx: Tx, key: ApiKey, webhook: int) -> Secret:
    """Gives a webhook a new secret, the only valid one from now on; raises NotFound or SecretsLocked."""
    secret = Secret(fresh_secret())
    webhooks.rotate(tx, webhook, key.seal(secret))
    return secret


def remove_webhook(tx: Tx, webhook: int) -> None:
    """Removes a webhook, so that its address answers 401 from now on. Raises NotFound."""
    webhooks.remove(tx, webhook)
