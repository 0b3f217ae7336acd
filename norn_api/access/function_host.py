"""The host name that serves functions alone (NORN_FN_HOST).

A page that a function returns then has another origin than Norn's page, whatever its headers say.
"""

from __future__ import annotations

from norn_tasks.domain.errors import NotFound

FUNCTION_RULES = ("/fn/<app>", "/fn/<app>/<rest:rest>")
"""The routes of functions."""


def refuse_other_host(rule: str, host: str, fn_host: str) -> None:
    """Raises NotFound for a function at another host than `fn_host`, and for anything else there.

    `host` is the header of the request; an empty `fn_host` allows every host.
    """
    if not fn_host or (rule in FUNCTION_RULES) == (_name(host) == fn_host.lower()):
        return
    if rule in FUNCTION_RULES:
        raise NotFound(
            f"functions are served at the host {fn_host}, and not here", hint="the url of GET /api/apps/APP is right"
        )
    raise NotFound("this host serves functions alone", hint="use the other host name of this server")


def url_of(app: str, root: str, fn_host: str) -> str:
    """Returns the address of a function; `root` is the address at which this server was asked."""
    scheme, _, host = root.rstrip("/").partition("://")
    if fn_host:
        port = host[len(_name(host, lower=False)) :]
        host = f"{fn_host}{port}"
    return f"{scheme}://{host}/fn/{app}"


def _name(host: str, *, lower: bool = True) -> str:
    """Returns the host without its port."""
    end = host.find("]") + 1 if host.startswith("[") else (host.find(":") if ":" in host else len(host))
    return host[:end].lower() if lower else host[:end]
