"""Public host names of apps: the edge with its certificates, the tunnel with its DNS, and the people whom Cloudflare
Access admits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from norn_tasks.domain.setting_values import ScopeWord, Team, issuer_of_certificates
from norn_tasks.settings.group import SettingsGroup


class PublicSettings(SettingsGroup):
    """The settings of the edge, the tunnel and Cloudflare Access."""

    # The edge: domains with certificates
    edge: Literal["off", "caddy"] = Field(
        "off", description="caddy: norn up opens ports 80 and 443, and serves hosts.external there with certificates"
    )
    edge_email: str = Field("", description="address that the issuer of certificates writes to")
    edge_issuer: Annotated[str, AfterValidator(issuer_of_certificates)] = Field(
        "acme",
        description="issuer of certificates: acme (Let's Encrypt), internal (an authority of this server's own), "
        "or the https address of an ACME directory",
    )
    edge_http_port: int = Field(80, ge=1, le=65535, description="port of the edge for http")
    edge_https_port: int = Field(443, ge=1, le=65535, description="port of the edge for https, TCP and UDP")
    edge_door: int = Field(
        18799,
        ge=1,
        le=65535,
        description="port of the router for all public names, to which the edge and the tunnel lead; "
        "open only if one of them is used",
    )

    # The tunnel
    cloudflare_api_token: str = Field(
        "", repr=False, description="API token that changes the tunnel's rules and DNS records; empty: none is changed"
    )
    cloudflare_account: str = Field("", description="id of the account at Cloudflare; empty: that of the tunnel token")
    cloudflare_tunnel: str = Field("", description="id or name of the tunnel; empty: that of the tunnel token")
    cloudflare_url: str = Field(
        "https://api.cloudflare.com/client/v4", repr=False, description="address of Cloudflare's API"
    )
    cloudflare_tunnel_token: str = Field(
        "", repr=False, description="token with which norn up runs cloudflared; empty: the operator runs it"
    )
    cloudflare_credentials: Path | None = Field(
        None, description="credentials file with which norn up runs cloudflared, instead of the tunnel token"
    )
    cloudflare_config_map: str = Field(
        "",
        pattern=r"^$|^[a-z0-9.-]+/[a-z0-9.-]+$",
        description="namespace/name of the ConfigMap and the Deployment of a cloudflared in the cluster, "
        "whose config.yaml has the rules; empty: Cloudflare has them",
    )
    cloudflare_cert: Path | None = Field(
        None, description="certificate of cloudflared tunnel login, for DNS records without an API token"
    )
    cloudflared: str = Field("cloudflared", description="the program cloudflared: a name on the PATH, or a path")

    # Cloudflare Access
    access_team: Team = Field("", description="team of Cloudflare Access whose people the API admits; empty: nobody")
    access_audience: str = Field("", description="audience tag of Norn's application at Cloudflare Access")
    access_scope: ScopeWord = Field("read", description="scope of the people that Cloudflare Access lets in")
    access_admins: str = Field("", description="mail addresses of people with the scope admin, separated by commas")

    @property
    def has_tunnel(self) -> bool:
        """True if the settings name a tunnel, or hold an API token with which one is found. Only workers need the
        token.
        """
        return bool(self.cloudflare_api_token or self.cloudflare_tunnel or self.cloudflare_config_map)

    @property
    def has_edge(self) -> bool:
        """True if norn up runs the edge."""
        return self.edge != "off"
