"""Runs cloudflared as one more process of `norn up`. This module's process becomes cloudflared, and gives it only the
settings that it needs.

The tunnel's token is in cloudflared's environment, and in no command line. The passwords and tokens in Norn's own
settings are not passed on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import NoReturn

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.settings import Settings, load

NAME = "cloudflared"
_KEPT = ("PATH", "HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_RUN = ("tunnel", "--no-autoupdate", "--grace-period", "10s")


def wanted(settings: Settings) -> bool:
    """Returns True if the operator's settings ask `norn up` to run cloudflared."""
    return bool(settings.cloudflare_tunnel_token) or settings.cloudflare_credentials is not None


def require_program(settings: Settings) -> str:
    """Returns the path of cloudflared; raises NotStarted if it is not installed, or if no setting names its tunnel."""
    found = shutil.which(settings.cloudflared)
    if found is None:
        raise NotStarted(
            f"{settings.cloudflared} is not installed, and the tunnel's settings ask norn up to run it",
            hint="install it or name it in NORN_CLOUDFLARED; or unset NORN_CLOUDFLARE_TUNNEL_TOKEN (docs/tunnel.md)",
        )
    if not settings.cloudflare_tunnel_token and not settings.cloudflare_tunnel:
        raise NotStarted(
            "cloudflared has a credentials file and no tunnel",
            hint="name the tunnel in NORN_CLOUDFLARE_TUNNEL, by its id or its name",
        )
    return found


def command(settings: Settings) -> tuple[tuple[str, ...], dict[str, str]]:
    """Returns the words of the command line, and the environment variables that hold secret values."""
    if settings.cloudflare_tunnel_token:
        return (*_RUN, "run"), {"TUNNEL_TOKEN": settings.cloudflare_tunnel_token}
    assert settings.cloudflare_credentials is not None
    file = str(settings.cloudflare_credentials.expanduser())
    return (*_RUN, "--credentials-file", file, "run", settings.cloudflare_tunnel), {}


def become(settings: Settings, environ: Mapping[str, str]) -> NoReturn:
    """Replaces this process with cloudflared."""
    words, own = command(settings)
    kept = {name: environ[name] for name in _KEPT if name in environ}
    program = require_program(settings)
    os.execve(program, [program, *words], {**kept, **own})  # noqa: S606 - it becomes the program


if __name__ == "__main__":
    become(load(), os.environ)
