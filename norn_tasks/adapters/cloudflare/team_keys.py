"""Fetches the public keys of a Cloudflare Access team, with which the team's login tokens are verified."""

from __future__ import annotations

import json

import httpx

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.team_keys import TeamKey, keys_of
from norn_tasks.ports import Stop

_PATH = "/cdn-cgi/access/certs"
_LARGEST = 256 * 1024
_HINT = "NORN_ACCESS_TEAM is the team's name at Cloudflare; the worker must reach its address"


class PublishedTeamKeys:
    """Implements `ports.TeamKeys` over https. Redirects are not followed, because they could lead to somebody else's
    keys.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def fetch(self, stop: Stop) -> tuple[TeamKey, ...]:
        """Reads the document with the keys, and returns the keys."""
        stop.check()
        try:
            found = keys_of(json.loads(self._document()))
        except httpx.HTTPError as error:
            raise TunnelFailed(f"{self.issuer} does not answer: {error}", hint=_HINT) from error
        except (ValueError, RecursionError) as error:
            raise TunnelFailed(f"{self.issuer} answered with something that is not JSON", hint=_HINT) from error
        if not found:
            raise TunnelFailed(f"{self.issuer} publishes no RSA key", hint=_HINT)
        return found

    def _document(self) -> bytes:
        content = b""
        with httpx.Client(timeout=10.0) as client, client.stream("GET", f"{self.issuer}{_PATH}") as answer:
            if answer.status_code != 200:
                raise TunnelFailed(f"{self.issuer} answered {answer.status_code} instead of its keys", hint=_HINT)
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LARGEST:
                    raise TunnelFailed(f"{self.issuer} sent more than {_LARGEST // 1024} KiB", hint=_HINT)
        return content
