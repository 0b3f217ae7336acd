"""Failures of Cloudflare's API: lost responses, rate limits, refusals, and entries that belong to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from norn_tasks.adapters.cloudflare.client import TIMEOUT, CloudflareClient
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.domain.errors import DatabaseDown, Stopped, TunnelFailed
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.tunnel.external_host import RouteState, SeenRoute, seen_route
from norn_tasks.store.database.limits import IDLE_SECONDS
from tests.fakes.cloudflare import ACCOUNT, TARGET, TOKEN, TUNNEL, FakeCloudflare, Fault
from tests.fakes.stop import FakeStop, FakeWatch
from tests.fakes.tunnel import FakeExternalHosts

MAIL, POST = "mail.slopistry.com", "post.slopistry.com"
SERVICE = "http://127.0.0.1:18800"
WATCH = FakeWatch().watch
OURS = {"hostname": MAIL, "service": SERVICE}
LAST = {"service": "http_status:404"}


@pytest.fixture
def fake() -> Iterator[FakeCloudflare]:
    """A fake of Cloudflare's API."""
    fake = FakeCloudflare()
    yield fake
    fake.stop()


class WayIn:
    """The adapters for Cloudflare, with their rows in memory."""

    def __init__(self, fake: FakeCloudflare, *, token: str = TOKEN, tunnel: str = TUNNEL) -> None:
        client, site = CloudflareClient(Secret(token), fake.url), TunnelSite(ACCOUNT, tunnel)
        self.hosts = FakeExternalHosts()
        self.tunnel = KeptRules(RemoteRules(client, site), self.hosts)
        self.dns = ZoneRecords(client, site, self.hosts, "abc123")

    def forge(self, host: str = MAIL) -> None:
        self.tunnel.route("mail", host, SERVICE, WATCH)
        self.dns.point("mail", host, WATCH)

    def tear_down(self) -> None:
        self.dns.unpoint("mail", WATCH)
        self.tunnel.unroute("mail", WATCH)

    def look(self) -> SeenRoute:
        rules, records = self.tunnel.look(FakeStop()), self.dns.look(FakeStop())
        assert rules is not None and records is not None
        return seen_route(self.hosts.there[MAIL], rules, records)


@pytest.fixture
def way_in(fake: FakeCloudflare) -> WayIn:
    """The adapters on the fake."""
    return WayIn(fake)


# Entries that belong to others


def test_foreign_rules_and_options_stay_and_the_catch_all_is_last(fake: FakeCloudflare, way_in: WayIn) -> None:
    wiki = {"hostname": "wiki.slopistry.com", "service": "ssh://10.0.0.9:22", "originRequest": {"noTLSVerify": True}}
    fake.config = {"ingress": [wiki, {"service": "http_status:418"}], "warp-routing": {"enabled": True}}
    way_in.forge()
    assert fake.ingress == [wiki, OURS, {"service": "http_status:418"}]
    way_in.tear_down()
    assert fake.config == {"ingress": [wiki, {"service": "http_status:418"}], "warp-routing": {"enabled": True}}


def test_a_rule_precedes_a_wildcard_and_follows_a_path_that_came_later(fake: FakeCloudflare, way_in: WayIn) -> None:
    path = {"hostname": MAIL, "path": "^/admin", "service": "http://10.0.0.9"}
    wild = {"hostname": "*.slopistry.com", "service": "http://10.0.0.8"}
    fake.config = {"ingress": [wild, LAST]}
    way_in.forge()
    fake.config = {"ingress": [path, wild, OURS, LAST]}
    way_in.forge()
    assert fake.ingress == [path, OURS, wild, LAST]


@pytest.mark.parametrize(("more", "which"), [({}, ""), ({"path": "^/api"}, r" with the path \^/api")])
def test_a_name_with_somebody_elses_rule_is_not_taken(
    fake: FakeCloudflare, way_in: WayIn, more: dict[str, str], which: str
) -> None:
    fake.config = {"ingress": [{"hostname": MAIL.upper(), "service": "http://10.0.0.9", **more}, LAST]}
    with pytest.raises(TunnelFailed, match=f"a rule for {MAIL}{which}, which Norn did not make: it leads to"):
        way_in.forge()
    way_in.tear_down()
    assert fake.writes() == []


@pytest.mark.parametrize("kind", ["A", "CNAME"])
def test_somebody_elses_record_is_not_changed(fake: FakeCloudflare, way_in: WayIn, kind: str) -> None:
    fake.add_record(kind, MAIL, "192.0.2.7")
    with pytest.raises(TunnelFailed, match=f"a DNS record that Norn did not make: {kind} 192.0.2.7"):
        way_in.forge()
    way_in.tear_down()
    assert [each["content"] for each in fake.records] == ["192.0.2.7"]


def test_somebody_elses_record_that_points_at_the_tunnel_is_used_and_kept(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.add_record("CNAME", MAIL, TARGET, comment="ann made this")
    way_in.forge()
    way_in.tear_down()
    assert [each["comment"] for each in fake.records] == ["ann made this"]


def test_a_record_that_replaces_somebody_elses_is_removed_though_its_forge_ended_early(
    fake: FakeCloudflare, way_in: WayIn
) -> None:
    fake.add_record("CNAME", MAIL, TARGET, comment="ann made this")
    way_in.forge()
    fake.records.clear()
    fake.faults = [Fault("POST", 403, lost=True)]
    with pytest.raises(TunnelFailed):
        way_in.forge()
    assert len(fake.records) == 1
    way_in.tear_down()
    assert fake.records == []


def test_mail_and_text_records_of_the_name_stay(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.add_record("TXT", MAIL, "v=spf1 -all")
    way_in.forge()
    way_in.tear_down()
    assert [each["type"] for each in fake.records] == ["TXT"]


def test_the_zone_with_the_longest_name_is_found_on_the_second_page(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.zones = ["slopistry.com", *(f"z{n:02}.example" for n in range(60)), "mail.slopistry.com"]
    way_in.forge()
    assert [each for each in fake.writes() if "zones" in each] == ["POST /zones/zone-mail.slopistry.com/dns_records"]


# Writes that take effect although the response is an error or lost

FAULTS = (
    [Fault("GET", 502, html=True)],
    [Fault("GET")],
    [Fault("GET", 429, retry_after="0")],
    [Fault("PUT", lost=True)],
    [Fault("PUT")],
    [Fault("PUT", 500), Fault("PUT", 429, retry_after="0")],
    [Fault("POST", lost=True)],
    [Fault("POST")],
    [Fault("POST", 503)],
)


@pytest.mark.parametrize("faults", FAULTS)
def test_a_fault_leaves_one_rule_and_one_record(fake: FakeCloudflare, way_in: WayIn, faults: list[Fault]) -> None:
    fake.faults = list(faults)
    way_in.forge()
    assert (fake.ingress, len(fake.records), fake.faults) == ([OURS, LAST], 1, [])


@pytest.mark.parametrize("fault", [Fault("DELETE", lost=True), Fault("DELETE"), Fault("PUT", lost=True)])
def test_a_fault_leaves_nothing_of_a_torn_down_app(fake: FakeCloudflare, way_in: WayIn, fault: Fault) -> None:
    way_in.forge()
    fake.faults = [fault]
    way_in.tear_down()
    assert (fake.ingress, fake.records, way_in.hosts.there) == ([LAST], [], {})


def test_a_worker_that_was_killed_before_its_rows_were_written_is_followed(fake: FakeCloudflare) -> None:
    first = WayIn(fake)
    before = dict(first.hosts.there)
    first.forge()
    assert before == {}
    second = WayIn(fake)
    second.hosts.there = {MAIL: first.hosts.there[MAIL]}
    second.forge()
    assert (fake.ingress, len(fake.records)) == ([OURS, LAST], 1)


class LostTurn:
    """A lock on the tunnel's configuration that is lost at the first write."""

    def __init__(self, fake: FakeCloudflare) -> None:
        self._fake = fake

    def keep(self) -> None:
        if self._fake.writes():
            raise DatabaseDown("the turn is lost")


def test_a_write_that_outlasts_its_turn_is_not_confirmed_and_made_again(fake: FakeCloudflare, way_in: WayIn) -> None:
    kept, way_in.hosts.given = way_in.hosts.given, LostTurn(fake)
    with pytest.raises(DatabaseDown):
        way_in.forge()
    assert (fake.writes()[0].startswith("PUT "), way_in.hosts.there[MAIL].ruled) == (True, False)
    # another job, which had lost the lock, has overwritten the rules
    fake.config, way_in.hosts.given = {"ingress": [LAST]}, kept
    way_in.forge()
    assert (fake.ingress, way_in.hosts.there[MAIL].ruled) == ([OURS, LAST], True)


def test_a_request_ends_before_its_turn_does() -> None:
    limits = {name: limit or IDLE_SECONDS for name, limit in TIMEOUT.as_dict().items()}
    assert sum(limits.values()) + limits["connect"] < IDLE_SECONDS


# Refusals


def test_a_token_that_is_not_accepted_is_said_without_the_token(fake: FakeCloudflare) -> None:
    with pytest.raises(TunnelFailed, match="does not accept the API token: Invalid API Token") as refused:
        WayIn(fake, token="wrong-canary").forge()
    assert "NORN_CLOUDFLARE_API_TOKEN" in refused.value.hint
    assert "canary" not in repr(refused.value.__dict__)


@pytest.mark.parametrize(
    ("denied", "sentence"),
    [
        ("/accounts", f"the API token may not read the tunnel {TUNNEL}: Authentication error"),
        ("/zones", "the API token may not list the zones: Authentication error"),
    ],
)
def test_a_missing_right_is_named(fake: FakeCloudflare, way_in: WayIn, denied: str, sentence: str) -> None:
    fake.denied = (denied,)
    with pytest.raises(TunnelFailed) as refused:
        way_in.forge()
    assert refused.value.sentence == sentence


def test_a_long_limit_is_reported_and_not_waited_for(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.faults = [Fault("GET", 429, retry_after="300")]
    with pytest.raises(TunnelFailed, match="asks to wait for 300 s"):
        way_in.forge()


def test_a_pause_ends_with_the_job(fake: FakeCloudflare, way_in: WayIn) -> None:
    watch = FakeWatch()
    watch.stop.set("cancelled")
    with pytest.raises(Stopped):
        way_in.tunnel.route("mail", MAIL, SERVICE, watch.watch)


def test_a_name_outside_of_every_zone_is_refused(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.zones = ["example.com"]
    with pytest.raises(TunnelFailed, match=r"mail.slopistry.com is in no zone .* it reaches example.com"):
        way_in.forge()


def test_a_tunnel_of_another_name_is_refused(fake: FakeCloudflare) -> None:
    with pytest.raises(TunnelFailed, match="the tunnel other does not exist in the account"):
        WayIn(fake, tunnel="other").forge()


def test_a_tunnel_is_found_by_its_name(fake: FakeCloudflare) -> None:
    WayIn(fake, tunnel="norn").forge()
    assert [each["content"] for each in fake.records] == [TARGET]


def test_a_tunnel_with_a_file_is_refused(fake: FakeCloudflare, way_in: WayIn) -> None:
    fake.config_src = "local"
    with pytest.raises(TunnelFailed, match="takes its rules from a file beside its cloudflared"):
        way_in.forge()


# Observations


def _nothing(_: FakeCloudflare) -> None: ...


def _no_rule(fake: FakeCloudflare) -> None:
    fake.config = {"ingress": [LAST]}


def _other_rule(fake: FakeCloudflare) -> None:
    fake.config = {"ingress": [{**OURS, "service": "http://10.0.0.9"}, LAST]}


def _shadowed(fake: FakeCloudflare) -> None:
    fake.config = {"ingress": [{"hostname": "*.slopistry.com", "service": "http://10.0.0.9"}, OURS, LAST]}


def _no_record(fake: FakeCloudflare) -> None:
    fake.records.clear()


def _other_record(fake: FakeCloudflare) -> None:
    fake.records[0]["content"] = "old.cfargotunnel.com"


def _down(fake: FakeCloudflare) -> None:
    fake.status = "down"


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        (_nothing, RouteState.ROUTED, ""),
        (_no_rule, RouteState.DRIFTED, "the tunnel has no rule for it"),
        (_other_rule, RouteState.DRIFTED, "the tunnel's rule leads to http://10.0.0.9 and not to"),
        (_shadowed, RouteState.DRIFTED, "an earlier rule of the tunnel takes its requests"),
        (_no_record, RouteState.DRIFTED, "it has no DNS record"),
        (_other_record, RouteState.DRIFTED, "its DNS record points at old.cfargotunnel.com and not at the tunnel"),
        (_down, RouteState.NOT_ROUTED, "no cloudflared is connected to the tunnel norn"),
    ],
)
def test_a_look_says_what_has_become_of_it(
    fake: FakeCloudflare,
    way_in: WayIn,
    change: Callable[[FakeCloudflare], None],
    state: RouteState,
    reason: str,
) -> None:
    way_in.forge()
    change(fake)
    seen = way_in.look()
    assert (seen.state, seen.reason.startswith(reason)) == (state, True), seen


@pytest.mark.parametrize("change", [_no_rule, _other_rule, _shadowed, _no_record, _other_record])
def test_a_forge_mends_it(fake: FakeCloudflare, way_in: WayIn, change: Callable[[FakeCloudflare], None]) -> None:
    way_in.forge()
    change(fake)
    way_in.forge()
    assert way_in.look() == SeenRoute(MAIL, RouteState.ROUTED)


def test_a_look_without_an_answer_is_a_finding(fake: FakeCloudflare) -> None:
    way_in = WayIn(fake, token="wrong")
    rules, records = way_in.tunnel.look(FakeStop()), way_in.dns.look(FakeStop())
    assert rules is not None and records is not None
    assert [each.good for each in (*rules.checks, *records.checks)] == [False, False]
