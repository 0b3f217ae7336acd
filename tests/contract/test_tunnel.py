"""The promises of the Cloudflare tunnel and its DNS, tested on the fakes and on the adapters with a fake of
Cloudflare's API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.domain.errors import HostTaken
from norn_tasks.domain.secret import Secret
from norn_tasks.ports import Dns, Tunnel
from tests.fakes.cloudflare import ACCOUNT, TOKEN, TUNNEL, FakeCloudflare
from tests.fakes.stop import FakeWatch
from tests.fakes.tunnel import FakeDns, FakeExternalHosts, FakeTunnel

MAIL, POST = "mail.slopistry.com", "post.slopistry.com"


@dataclass
class WayIn:
    """A tunnel with its DNS. `rules` and `records` return its present entries."""

    tunnel: Tunnel
    dns: Dns
    hosts: FakeExternalHosts
    cloudflare: FakeCloudflare | None = None

    def forge(self, app: str, host: str, service: str = "http://127.0.0.1:18800") -> None:
        """Makes the tunnel's rule and DNS record, as a forge does."""
        self.tunnel.route(app, host, service, FakeWatch().watch)
        self.dns.point(app, host, FakeWatch().watch)

    def tear_down(self, app: str) -> None:
        """Removes the tunnel's rule and DNS record, as a teardown does."""
        self.dns.unpoint(app, FakeWatch().watch)
        self.tunnel.unroute(app, FakeWatch().watch)

    def rules(self) -> dict[str, str]:
        """Returns the services by host name."""
        if isinstance(self.tunnel, FakeTunnel):
            return dict(self.tunnel.rules)
        assert self.cloudflare is not None
        return {rule["hostname"]: rule["service"] for rule in self.cloudflare.ingress if "hostname" in rule}

    def records(self) -> set[str]:
        """Returns the host names whose DNS records point at the tunnel."""
        if isinstance(self.dns, FakeDns):
            return set(self.dns.records)
        assert self.cloudflare is not None
        return {each["name"] for each in self.cloudflare.records}


@pytest.fixture(params=["fake", "cloudflare"])
def way_in(request: pytest.FixtureRequest) -> Iterator[WayIn]:
    """An empty tunnel."""
    hosts = FakeExternalHosts()
    if request.param == "fake":
        yield WayIn(FakeTunnel(hosts), FakeDns(hosts), hosts)
        return
    fake = FakeCloudflare()
    client, site = CloudflareClient(Secret(TOKEN), fake.url), TunnelSite(ACCOUNT, TUNNEL)
    yield WayIn(KeptRules(RemoteRules(client, site), hosts), ZoneRecords(client, site, hosts, "abc123"), hosts, fake)
    fake.stop()


def test_a_forge_makes_the_rule_and_the_record(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    assert (way_in.rules(), way_in.records()) == ({MAIL: "http://127.0.0.1:18800"}, {MAIL})


def test_a_second_forge_changes_nothing(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    again = way_in.tunnel.route("mail", MAIL, "http://127.0.0.1:18800", FakeWatch().watch)
    assert not again.changed and not way_in.dns.point("mail", MAIL, FakeWatch().watch).changed


def test_another_name_moves_both(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    way_in.forge("mail", POST)
    assert (set(way_in.rules()), way_in.records(), set(way_in.hosts.there)) == ({POST}, {POST}, {POST})


def test_another_address_moves_the_rule(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    way_in.forge("mail", MAIL, "http://mail.apps.svc")
    assert way_in.rules() == {MAIL: "http://mail.apps.svc"}


def test_a_teardown_removes_both_and_nothing_of_another_app(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    way_in.forge("post", POST)
    way_in.tear_down("mail")
    assert (set(way_in.rules()), way_in.records(), set(way_in.hosts.there)) == ({POST}, {POST}, {POST})


def test_a_name_is_one_apps_alone(way_in: WayIn) -> None:
    way_in.forge("mail", MAIL)
    with pytest.raises(HostTaken) as refused:
        way_in.forge("post", MAIL)
    assert refused.value.owner == "mail"
    assert way_in.rules() == {MAIL: "http://127.0.0.1:18800"}


def test_a_teardown_of_an_app_without_a_name_changes_nothing(way_in: WayIn) -> None:
    assert not way_in.tunnel.unroute("mail", FakeWatch().watch).changed
    assert not way_in.dns.unpoint("mail", FakeWatch().watch).changed
