"""Public host names of apps: the tunnel with its DNS records, and the edge (the HTTPS server)."""

from __future__ import annotations

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.config_map import ConfigMapRules
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.route_command import RouteCommand
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.adapters.cloudflare.without import NoDns, NoTunnel
from norn_tasks.adapters.edge.caddy import CaddyEdge
from norn_tasks.adapters.edge.without import NoEdge
from norn_tasks.adapters.kubernetes.access import ClusterAccess
from norn_tasks.adapters.kubernetes.api import Api
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Dns, Edge, ExternalHosts, Tunnel
from norn_tasks.settings import Settings


def way_in(settings: Settings, hosts: ExternalHosts, instance: str) -> tuple[Tunnel, Dns]:
    """Returns the tunnel and its DNS that the operator chose, or stand-ins for a server without a tunnel."""
    if not settings.cloudflare_config_map:
        return _remote(settings, hosts, instance) if settings.cloudflare_api_token else (NoTunnel(hosts), NoDns(hosts))
    namespace, _, name = settings.cloudflare_config_map.partition("/")
    rules = ConfigMapRules(Api(ClusterAccess(namespace, settings.kube_config, settings.kube_context)), name)
    if settings.cloudflare_api_token:
        return KeptRules(rules, hosts), _remote(settings, hosts, instance)[1]
    tunnel = settings.cloudflare_tunnel
    command = RouteCommand(hosts, settings.cloudflared, lambda: tunnel or rules.tunnel, settings.cloudflare_cert)
    return KeptRules(rules, hosts), command


def public_edge(settings: Settings, hosts: ExternalHosts, instance: str) -> Edge:
    """Returns the edge of this machine; an adapter that does nothing if there is none, or if a tunnel serves the public
    names.
    """
    if not settings.has_edge or settings.has_tunnel:
        return NoEdge()
    return CaddyEdge(
        hosts, instance, settings.edge_http_port, settings.edge_https_port, settings.edge_dir,
        public=settings.edge_issuer != "internal",
    )  # fmt: skip


def _remote(settings: Settings, hosts: ExternalHosts, instance: str) -> tuple[KeptRules, ZoneRecords]:
    client = CloudflareClient(Secret(settings.cloudflare_api_token), settings.cloudflare_url)
    named = TunnelSite(settings.cloudflare_account, settings.cloudflare_tunnel)
    site = named.or_of(settings.cloudflare_tunnel_token)
    return KeptRules(RemoteRules(client, site), hosts), ZoneRecords(client, site, hosts, instance)
