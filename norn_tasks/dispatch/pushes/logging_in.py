"""Logins for private repositories. Their tokens are encrypted for the workers, because only workers read
repositories.
"""

from __future__ import annotations

import re

from norn_tasks import sealing
from norn_tasks.domain.errors import Conflict, InvalidRequest
from norn_tasks.domain.names import repo_url
from norn_tasks.domain.secret import Secret
from norn_tasks.store.apps import logins, secrets
from norn_tasks.store.database.session import Tx

_MOST = 4096


def set_login(tx: Tx, url: str, username: str, token: Secret, *, actor: str) -> int:
    """Sets the login for the repository at an https address. Raises InvalidRequest if an argument is malformed, and
    Conflict if the server has no key for encryption.
    """
    repo_url(url)
    if not url.startswith("https://"):
        raise InvalidRequest("url: only a repository at an https address has a login", hint="ssh uses a key")
    if not re.fullmatch(r"[\x21-\x7e]{1,255}", username) or ":" in username:
        raise InvalidRequest("username: it is not a user name", hint="leave it out for a token of GitHub or Gitea")
    if not re.fullmatch(r"[\x21-\x7e]+", token.reveal()) or len(token.reveal()) > _MOST:
        raise InvalidRequest("token: it is empty or has spaces", hint="copy it again")
    try:
        sealed = sealing.seal(token.reveal(), secrets.recipient(tx))
    except sealing.NotAKey:
        raise Conflict("the server's public key for secrets is not a valid key", hint=secrets.NEW_START) from None
    return logins.put(tx, url, username, sealed, actor=actor)


def remove_login(tx: Tx, login: int) -> None:
    """Removes the login for a repository; raises NotFound."""
    logins.remove(tx, login)
