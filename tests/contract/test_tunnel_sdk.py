"""Checks the fake of Cloudflare's API: Cloudflare's own client accepts its responses, and reads what the
adapters made.
"""

from __future__ import annotations

from collections.abc import Iterator

import cloudflare
import pytest

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.domain.secret import Secret
from tests.fakes.cloudflare import ACCOUNT, TARGET, TOKEN, TUNNEL, FakeCloudflare
from tests.fakes.stop import FakeWatch
from tests.fakes.tunnel import FakeExternalHosts

MAIL, POST = "mail.slopistry.com", "post.slopistry.com"


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    """A fake of Cloudflare's API."""
    fake = FakeCloudflare()
    yield fake
    fake.stop()


def forge(fake: FakeCloudflare) -> None:
    """Makes the tunnel's rule and DNS record, as a forge does."""
    client, site, hosts = CloudflareClient(Secret(TOKEN), fake.url), TunnelSite(ACCOUNT, TUNNEL), FakeExternalHosts()
    KeptRules(RemoteRules(client, site), hosts).route("mail", MAIL, "http://127.0.0.1:18800", FakeWatch().watch)
    ZoneRecords(client, site, hosts, "abc123").point("mail", MAIL, FakeWatch().watch)


def test_the_official_client_is_content_with_the_fake(fake: FakeCloudflare) -> None:
    forge(fake)
    client = cloudflare.Cloudflare(api_token=TOKEN, base_url=fake.url)
    tunnel = client.zero_trust.tunnels.cloudflared.get(TUNNEL, account_id=ACCOUNT)
    found = client.zero_trust.tunnels.cloudflared.configurations.get(TUNNEL, account_id=ACCOUNT)
    zones = list(client.zones.list())
    records = list(client.dns.records.list(zone_id=zones[0].id))
    assert tunnel is not None and found is not None and found.config is not None and found.config.ingress is not None
    assert (tunnel.status, next(rule.hostname for rule in found.config.ingress)) == ("healthy", MAIL)
    assert [(zone.name, record.name) for zone in zones for record in records] == [("slopistry.com", MAIL)]


def test_the_official_client_changes_what_the_adapters_read(fake: FakeCloudflare) -> None:
    client = cloudflare.Cloudflare(api_token=TOKEN, base_url=fake.url)
    record = client.dns.records.create(zone_id="zone-slopistry.com", type="CNAME", name=MAIL, content=TARGET, ttl=1)
    rules = [{"hostname": POST, "service": "http://10.0.0.9"}, {"hostname": "", "service": "http_status:404"}]
    configurations = client.zero_trust.tunnels.cloudflared.configurations
    configurations.update(TUNNEL, account_id=ACCOUNT, config={"ingress": rules})
    forge(fake)
    assert [rule.get("hostname") for rule in fake.ingress] == [POST, MAIL, ""]
    assert record is not None
    client.dns.records.delete(record.id, zone_id="zone-slopistry.com")
    with pytest.raises(cloudflare.NotFoundError):
        client.dns.records.delete(record.id, zone_id="zone-slopistry.com")
