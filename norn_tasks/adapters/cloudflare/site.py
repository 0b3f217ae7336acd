"""The operator's tunnel: its account, its id, and the target of the DNS records that point at it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.domain.errors import TunnelFailed

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
WHERE: Final = "NORN_CLOUDFLARE_ACCOUNT and NORN_CLOUDFLARE_TUNNEL name it; NORN_CLOUDFLARE_TUNNEL_TOKEN has both"


@dataclass(frozen=True)
class TunnelSite:
    """The operator's tunnel as the settings name it; `or_of` fills empty fields from the tunnel's token."""

    account: str = ""
    """The id of the account."""
    tunnel: str = ""
    """The id of the tunnel, or its name."""

    def or_of(self, token: str) -> TunnelSite:
        """Returns this site; fields that are empty are filled from `token`, with which cloudflared runs the tunnel."""
        try:
            found = json.loads(base64.b64decode(token, validate=True)) if token else {}
        except (binascii.Error, ValueError):
            found = {}
        known = found if isinstance(found, dict) else {}
        return TunnelSite(self.account or str(known.get("a", "")), self.tunnel or str(known.get("t", "")))


@dataclass(frozen=True)
class FoundTunnel:
    """The tunnel as Cloudflare describes it."""

    id: str
    name: str
    status: str
    local: bool
    """True if the tunnel's rules are in a file on the machine of its cloudflared, and not at Cloudflare."""

    @property
    def target(self) -> str:
        """The host name at which DNS records of the tunnel must point."""
        return f"{self.id}.cfargotunnel.com"


def find_tunnel(client: CloudflareClient, site: TunnelSite, waiting: Waiting) -> FoundTunnel:
    """Returns the operator's tunnel; raises TunnelFailed if there is none."""
    if not site.account or not site.tunnel:
        raise TunnelFailed("the account or the tunnel at Cloudflare is not named", hint=WHERE)
    what, path = f"read the tunnel {site.tunnel}", f"/accounts/{site.account}/cfd_tunnel"
    if _UUID.fullmatch(site.tunnel):
        seen = client.get(f"{path}/{site.tunnel}", what, waiting)
    else:
        query = {"name": site.tunnel, "is_deleted": "false"}
        named = client.pages(path, what, waiting, query)
        seen = next((each for each in named if each.get("name") == site.tunnel), None)
    if not seen or seen.get("deleted_at"):
        gone = "was deleted" if seen else "does not exist"
        raise TunnelFailed(f"the tunnel {site.tunnel} {gone} in the account {site.account}", hint=WHERE)
    return FoundTunnel(seen["id"], seen.get("name") or seen["id"], seen.get("status") or "", _local(seen))


def _local(seen: dict[str, Any]) -> bool:
    return seen.get("config_src") == "local" or seen.get("remote_config") is False
