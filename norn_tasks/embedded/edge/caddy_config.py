"""Caddy's configuration, which never changes at a forge or a deploy: it sends all hosts to one port of the router, the
door.

Caddy is never reloaded, because a reload loses requests. Caddy asks the door whether a name may have a certificate. It
has no admin API.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from norn_tasks.domain.tunnel import leading
from norn_tasks.settings import Settings

HEAD_MAX = 64 * 1024
"""The most bytes of the head of a request; the router has the same limit."""
IDLE_SECONDS = 60
"""How long Caddy keeps an idle connection to the router. By default, the router keeps one longer
(router_idle_timeout).
"""
PATIENCE_SECONDS = 15
"""How long a request waits while the router is restarted."""
_FORGEABLE = ("X-Forwarded-*", "Forwarded", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip")


def caddy_config(settings: Settings, storage: Path, files: tuple[int, int, int]) -> dict[str, Any]:
    """Returns the configuration; `files` are the descriptors of the open sockets for http, https and QUIC."""
    http, https, quic = files
    door = urlsplit(settings.door_address or "").netloc
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(storage)},
        "apps": {
            "http": {
                "http_port": settings.edge_http_port,
                "https_port": settings.edge_https_port,
                "grace_period": "10s",
                "servers": {
                    "https": _https(settings, door, [f"fd/{https}", f"fdgram/{quic}"]),
                    "http": _http(settings, door, [f"fd/{http}"]),
                },
            },
            "tls": {
                "automation": {
                    "policies": [{"on_demand": True, "issuers": [_issuer(settings)]}],
                    "on_demand": {"permission": {"module": "http", "endpoint": f"http://{door}/ask"}},
                }
            },
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }


def _https(settings: Settings, door: str, listen: list[str]) -> dict[str, Any]:
    announced = f'h3=":{settings.edge_https_port}"; ma=86400'
    return {
        **_server(listen),
        "listen_protocols": [["h1", "h2"], ["h3"]],
        "tls_connection_policies": [{}],
        "routes": [
            {
                "handle": [
                    {
                        "handler": "headers",
                        "request": {"delete": [each for name in _FORGEABLE for each in _spellings(name)]},
                        "response": {"set": {"Alt-Svc": [announced]}, "deferred": True},
                    },
                    _proxy(door),
                ]
            }
        ],
    }


def _spellings(name: str) -> Iterator[str]:
    """Yields all spellings of the name with `-` or `_`, because CGI, WSGI and many frameworks treat both as the
    same.
    """
    for joints in itertools.product("-_", repeat=name.count("-")):
        yield "".join(itertools.chain.from_iterable(zip(name.split("-"), (*joints, ""), strict=True)))


def _http(settings: Settings, door: str, listen: list[str]) -> dict[str, Any]:
    port = "" if settings.edge_https_port == 443 else f":{settings.edge_https_port}"
    moved = {
        "handler": "static_response",
        "status_code": 308,
        "headers": {"Location": [f"https://{{http.request.host}}{port}{{http.request.uri}}"]},
    }
    shown = {"match": [{"path": [leading.PATH]}], "handle": [_proxy(door)], "terminal": True}
    return {**_server(listen), "protocols": ["h1"], "routes": [shown, {"handle": [moved]}]}


def _server(listen: list[str]) -> dict[str, Any]:
    return {
        "listen": listen,
        "automatic_https": {"disable": True},
        "max_header_bytes": HEAD_MAX,
        "read_header_timeout": "30s",
        "idle_timeout": "2m",
    }


def _proxy(door: str) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": door}],
        "flush_interval": -1,
        "load_balancing": {"try_duration": f"{PATIENCE_SECONDS}s", "try_interval": "50ms"},
        "transport": {
            "protocol": "http",
            "compression": False,
            "keep_alive": {"enabled": True, "idle_timeout": f"{IDLE_SECONDS}s", "max_idle_conns_per_host": 256},
        },
    }


def _issuer(settings: Settings) -> dict[str, Any]:
    if settings.edge_issuer == "internal":
        return {"module": "internal"}
    directory = {} if settings.edge_issuer == "acme" else {"ca": settings.edge_issuer}
    email = {"email": settings.edge_email} if settings.edge_email else {}
    ports = {
        "http": {"alternate_port": settings.edge_http_port},
        "tls-alpn": {"alternate_port": settings.edge_https_port},
    }
    return {"module": "acme", **directory, **email, "challenges": ports}
