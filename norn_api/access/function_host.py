"""The host name that serves functions and nothing else (NORN_FN_HOST).

A page that a function returns then has another origin than Norn's own page, no matter which headers the function sets.
"""

from __future__ import annotations

from norn_tasks.domain.errors import NotFound

FUNCTION_RULES = ("/fn/<app>", "/fn/<app>/<rest:rest>")
"""The routes of functions."""


def refuse_other_host(rule: str, host: str, fn_host: str) -> None:
    """Raises NotFound for a function at a host other than `fn_host`, and for anything else at `fn_host`.

    `host` is the header Host of the request; an empty `fn_host` allows every host.
    """
    if not fn_host or (rule in FUNCTION_RULES) == (_name(host) == fn_host.lower()):
        return
    if rule in FUNCTION_RULES:
        raise NotFound(
            f"functions are served at the host {fn_host}, and not here", hint="GET /api/apps/APP returns the right url"
        )
    raise NotFound("this host serves only functions", hint="use the other host name of this server")


def url_of(app: str, root: str, fn_host: str) -> str:
    """Returns the address of a function; `root` is the address at which the client reached this server."""
    scheme, _, host = root.rstrip("/").partition("://")
    if fn_host:
        port = host[len(_name(host, lower=False)) :]
        host = f"{fn_host}{port}"
    return f"{scheme}://{host}/fn/{app}"


def _name(host: str, *, lower: bool = True) -> str:
    """Returns the host without its port."""
    end = host.find("]") + 1 if host.startswith("[") else (host.find(":") if ":" in host else len(host))
    return host[:end].lower() if lower else host[:end]
