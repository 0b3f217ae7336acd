"""People whom Cloudflare Access admits: it adds a token to each of their requests.

Cloudflare adds the token, in a header, to every request of the browser, even to requests that a page of another site
caused. So such requests are `ambient`: as with a cookie, a change is accepted only from a page of this server, and
functions cannot be called. The token is accepted only in the header, because no page can read or set that header for
another site.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from norn_api.access.auth import CACHE_SECONDS, Credentials, Identity
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.tunnel.team_keys import TeamKey, issuer_of
from norn_tasks.settings import Settings
from norn_tasks.store.access import team_keys
from norn_tasks.store.database.session import Database

HEADER = "Cf-Access-Jwt-Assertion"
NAME = "access "
"""The beginning of the names of senders whom Cloudflare Access lets in. No token has such a name, because it has a
space.
"""
_PATH = "/api/"
_LONGEST = 8192
_LONGEST_NAME = 200
_LEEWAY = 10
"""The seconds by which the clocks of Cloudflare and of this machine may differ."""
_CLAIMS = ["exp", "iat", "aud", "iss"]


class TeamTokens:
    """Identifies senders by a token of Cloudflare Access: signed by this team's key with RS256, for this application,
    and not expired.
    """

    def __init__(self, database: Database, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._issuer, self._audience = issuer_of(settings.access_team), settings.access_audience
        self._scope = Scope(settings.access_scope)
        self._admins = {each.strip().lower() for each in settings.access_admins.split(",")} - {""}
        self._keys: dict[str, TeamKey] = {}
        self._read = float("-inf")

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the person or the service; None without a valid token. Raises DatabaseDown."""
        token = credentials.headers.get(HEADER, "")
        if not (0 < len(token) <= _LONGEST and credentials.path.startswith(_PATH)):
            return None
        claims = self._claims(token)
        name = next((claims[each] for each in ("email", "common_name") if claims.get(each)), None)
        if not isinstance(name, str) or not name.isprintable() or len(name) > _LONGEST_NAME:
            return None
        admin = "email" in claims and name.lower() in self._admins
        return Identity(Actor(f"{NAME}{name}", frozenset({Scope.ADMIN if admin else self._scope})), ambient=True)

    def _claims(self, token: str) -> dict[str, Any]:
        """Returns the claims of a token; an empty dictionary if the token is not valid."""
        import jwt  # imported late, because only servers behind Cloudflare Access need it

        try:
            key = self._known().get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                return {}
            public = jwt.PyJWK.from_dict({"kty": "RSA", "alg": "RS256", "kid": key.kid, "n": key.n, "e": key.e})
            options: Any = {"require": _CLAIMS}
            return jwt.decode(
                token, public, algorithms=["RS256"], audience=self._audience, issuer=self._issuer, leeway=_LEEWAY,
                options=options,
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, RecursionError):
            return {}

    def _known(self) -> dict[str, TeamKey]:
        """Returns the team's keys, which are read again every few seconds."""
        if self._clock() - self._read >= CACHE_SECONDS:
            with self._database.transaction() as tx:
                self._keys = team_keys.usable(tx, self._issuer)
            self._read = self._clock()
        return self._keys
