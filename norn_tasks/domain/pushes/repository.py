"""Computes two names from the address of a repository: one that is the same for all its addresses, and one under which
the login for its server is stored.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCP_LIKE = re.compile(r"[^@/:]+@(?P<host>[^:/]+):(?P<path>[^:]+)")


def repository_of(url: str) -> str:
    """Returns `host/path` in lower case, for an address that `names.repo_url` accepts.

    The https and ssh addresses of one repository give the same name. Upper and lower case do not matter, as in GitHub,
    Gitea and GitLab.
    """
    scp_like = _SCP_LIKE.fullmatch(url)
    if scp_like is not None:
        host, path = scp_like["host"], scp_like["path"]
    else:
        parts = urlsplit(url)
        host, path = parts.hostname or "", parts.path
    return f"{host}/{path.strip('/').removesuffix('.git')}".lower()


def login_name_of(url: str) -> str:
    """Returns `host/path` of an https address, or `host:port/path` if the port is not 443.

    The port is part of the name, because another port may belong to another server, which must not get this server's
    token.
    """
    port = urlsplit(url).port or 443
    host, slash, path = repository_of(url).partition("/")
    return f"{host}{slash}{path}" if port == 443 else f"{host}:{port}{slash}{path}"
