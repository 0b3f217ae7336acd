"""Public names as rows: each belongs to one app only; the lock on the tunnel; two workers of which one is killed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from norn_tasks.adapters.cloudflare.client import CloudflareClient
from norn_tasks.adapters.cloudflare.records import ZoneRecords
from norn_tasks.adapters.cloudflare.remote_rules import RemoteRules
from norn_tasks.adapters.cloudflare.rules import KeptRules
from norn_tasks.adapters.cloudflare.site import TunnelSite
from norn_tasks.domain.errors import Conflict, HostTaken, LeaseLost
from norn_tasks.domain.infraspec import parse
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.writes import EdgeSeen, TunnelSeen
from norn_tasks.domain.secret import Secret
from norn_tasks.domain.tunnel.certificate import Certificate
from norn_tasks.domain.tunnel.external_host import ExternalHost, RouteState, SeenRoute, TunnelCheck
from norn_tasks.ports import Watch
from norn_tasks.store.alerts import alerts, certificate_rules
from norn_tasks.store.apps import external_hosts, registry
from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import maintenances, routes
from norn_tasks.store.replicas.routes import Routes
from norn_tasks.store.status import tunnel as tunnel_checks
from norn_tasks.store_adapters.external_hosts import ExternalHostTable
from tests.fakes.cloudflare import ACCOUNT, TOKEN, TUNNEL, FakeCloudflare
from tests.fakes.stop import FakeStop

MAIL, POST = "mail.slopistry.com", "post.slopistry.com"
SPEC = "app: {app}\nrole: webserver\nport: 8080\nhosts: {{external: {host}}}\n"


def running_job(database: Database, app: str = "mail", token: int = 5) -> Fence:
    """Returns the fence of a running job."""
    with database.transaction() as tx:
        job = tx.scalar(
            text(
                "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                " VALUES ('forge', 'deploy', :app, false, 'running', 'test', :token) RETURNING id"
            ),
            {"app": app, "token": token},
        )
    return Fence(int(job), token)


@pytest.fixture
def table(database: Database) -> ExternalHostTable:
    return ExternalHostTable(database)


@pytest.fixture
def fence(database: Database) -> Fence:
    return running_job(database)


def watch(fence: Fence) -> Watch:
    return Watch(fence, lambda _: None, FakeStop())


def test_a_claim_makes_the_other_names_of_the_app_leaving(table: ExternalHostTable, fence: Fence) -> None:
    table.claim("mail", MAIL, fence)
    table.save(ExternalHost(MAIL, "mail", service="http://127.0.0.1:18800", ruled=True), fence)
    table.claim("mail", POST, fence)
    assert [(each.host, each.leaving) for each in table.of_app("mail")] == [(MAIL, True), (POST, False)]


def test_a_name_of_another_app_is_refused(table: ExternalHostTable, fence: Fence) -> None:
    table.claim("mail", MAIL, fence)
    with pytest.raises(HostTaken) as refused:
        table.claim("post", MAIL, fence)
    assert refused.value.owner == "mail"


def test_a_leaving_name_goes_when_nothing_of_it_is_left(table: ExternalHostTable, fence: Fence) -> None:
    table.claim("mail", MAIL, fence)
    made = ExternalHost(MAIL, "mail", service="http://127.0.0.1:18800", ruled=True, record="7", recorded=True)
    table.save(made, fence)
    table.release("mail", fence)
    table.save(replace(made, leaving=True, service=None, ruled=False), fence)
    assert [each.record for each in table.all()] == ["7"]
    table.save(replace(made, leaving=True, service=None, ruled=False, record=None, recorded=False), fence)
    assert table.all() == ()


def test_a_job_that_was_taken_over_writes_nothing(table: ExternalHostTable, fence: Fence) -> None:
    with pytest.raises(LeaseLost):
        table.claim("mail", MAIL, replace(fence, token=4))
    with pytest.raises(LeaseLost), table.turn(watch(replace(fence, token=4))):
        raise AssertionError("the turn was given")
    assert table.all() == ()


def test_the_lease_is_renewed_while_a_job_has_the_turn(table: ExternalHostTable, database: Database) -> None:
    fence = running_job(database)
    with table.turn(watch(fence)) as turn, database.transaction() as tx:
        tx.execute(text("SET LOCAL lock_timeout = '2s'"))
        tx.execute(text("UPDATE jobs SET lease_until = clock_timestamp() WHERE id = :job"), {"job": fence.job})
        turn.keep()


def test_a_turn_that_was_lost_is_noticed_before_the_next_write(table: ExternalHostTable, database: Database) -> None:
    fence = running_job(database)
    with table.turn(watch(fence)) as turn:
        with database.transaction() as tx:
            tx.execute(text("UPDATE jobs SET lease_token = 6 WHERE id = :job"), {"job": fence.job})
        with pytest.raises(LeaseLost):
            turn.keep()


def test_an_applied_name_of_another_app_is_refused(database: Database) -> None:
    with database.transaction() as tx:
        registry.apply(tx, None, parse(SPEC.format(app="mail", host=MAIL)), actor="ann")
    sentence = f"hosts.external: {MAIL} is the public name of another app"
    with pytest.raises(HostTaken, match=sentence) as refused, database.transaction() as tx:
        registry.apply(tx, None, parse(SPEC.format(app="post", host=MAIL)), actor="ann")
    assert refused.value.naming_the_owner().sentence.endswith("name of mail")


def test_a_look_is_what_doctor_says(table: ExternalHostTable, database: Database, fence: Fence) -> None:
    table.claim("mail", MAIL, fence)
    drifted = SeenRoute(MAIL, RouteState.DRIFTED, "it has no DNS record")
    look = TunnelSeen((TunnelCheck("tunnel", False, "the token is not accepted", "make one"),), (drifted,))
    with database.transaction() as tx:
        external_hosts.seen(tx, look)
        said = [(each.name, str(each.status), each.message) for each in tunnel_checks.checks(tx, within=None)]
    assert said == [
        ("tunnel", "fail", "the token is not accepted"),
        ("external", "warn", f"{MAIL} of mail is drifted: it has no DNS record"),
    ]


# Two workers


@pytest.fixture
def cloudflare() -> Iterator[FakeCloudflare]:
    fake = FakeCloudflare()
    yield fake
    fake.stop()


class Worker:
    """The adapters of one worker process, with database connections of its own."""

    def __init__(self, url: str, cloudflare: FakeCloudflare) -> None:
        self.database = Database(url)
        client, site = CloudflareClient(Secret(TOKEN), cloudflare.url), TunnelSite(ACCOUNT, TUNNEL)
        hosts = ExternalHostTable(self.database)
        self.tunnel = KeptRules(RemoteRules(client, site), hosts)
        self.dns = ZoneRecords(client, site, hosts, "abc123")

    def forge(self, app: str) -> None:
        watched = watch(running_job(self.database, app))
        self.tunnel.route(app, f"{app}.slopistry.com", f"http://{app}.apps.svc", watched)
        self.dns.point(app, f"{app}.slopistry.com", watched)

    def tear_down(self, app: str) -> None:
        watched = watch(running_job(self.database, app))
        self.dns.unpoint(app, watched)
        self.tunnel.unroute(app, watched)


def test_workers_at_once_leave_exactly_the_rules_of_their_apps(database_url: str, cloudflare: FakeCloudflare) -> None:
    wiki = {"hostname": "wiki.slopistry.com", "service": "http://10.0.0.9"}
    cloudflare.config, cloudflare.chance = {"ingress": [wiki, {"service": "http_status:404"}]}, 0.1
    workers = [Worker(database_url, cloudflare) for _ in range(3)]

    def play(worker: Worker, app: str) -> None:
        worker.forge(app)
        worker.tear_down(app)
        worker.forge(app)

    with ThreadPoolExecutor() as pool:
        list(pool.map(play, workers, "abc"))
    for worker in workers:
        worker.database.dispose()
    hosts = [rule.get("hostname") for rule in cloudflare.ingress]
    assert (hosts[0], sorted(hosts[1:-1], key=str), hosts[-1]) == (
        "wiki.slopistry.com", ["a.slopistry.com", "b.slopistry.com", "c.slopistry.com"], None,
    )  # fmt: skip
    assert sorted(each["name"] for each in cloudflare.records) == hosts_of("abc")


def hosts_of(apps: str) -> list[str]:
    return [f"{app}.slopistry.com" for app in apps]


def routes_now(database: Database) -> Routes:
    with database.transaction() as tx:
        routes.reserve_address(tx, "mail", 18800, 18899)
        return routes.live_routes(tx)


def test_the_router_gets_a_name_until_it_leaves(database: Database, table: ExternalHostTable, fence: Fence) -> None:
    table.claim("mail", MAIL, fence)
    table.claim("mail", POST, fence)
    assert [route.external for route in routes_now(database).routes] == [POST]
    assert [each.host for each in table.of_app("mail")] == [POST]  # nothing was made for the earlier name
    table.release("mail", fence)
    assert [route.external for route in routes_now(database).routes] == [None]


def test_a_certificate_that_is_not_renewed_is_an_alert_until_it_is(
    database: Database, table: ExternalHostTable, fence: Fence
) -> None:
    def seen(days: float, state: RouteState = RouteState.ROUTED, *, certificate: bool = True) -> dict[str, str]:
        now = datetime.now(UTC)
        valid = Certificate("ca", now - timedelta(days=90 - days), now + timedelta(days=days)) if certificate else None
        with database.transaction() as tx:
            external_hosts.edge_seen(tx, EdgeSeen((SeenRoute(MAIL, state, "refused", valid),)))
        certificate_rules.look(database)
        with database.transaction() as tx:
            return {each.kind: each.sentence for each in alerts.open_of(tx, ["mail"]).get("mail", ())}

    table.claim("mail", MAIL, fence)
    assert [each.host for each in table.due_at_edge()] == [MAIL]
    assert seen(30) == {} and table.due_at_edge() == ()
    raised = seen(17, RouteState.NOT_ROUTED)
    assert list(raised) == ["certificate-ends"]
    assert raised["certificate-ends"].startswith(f"the certificate of {MAIL} ends at ")
    # an observation without a certificate does not erase the known end of one
    assert seen(0, RouteState.NOT_ROUTED, certificate=False) == raised
    assert seen(89) == {}


def test_a_name_that_moved_to_a_tunnel_has_no_certificate_that_could_end(
    database: Database, table: ExternalHostTable, fence: Fence
) -> None:
    table.claim("mail", MAIL, fence)
    now = datetime.now(UTC)
    ending = Certificate("ca", now - timedelta(days=89), now + timedelta(days=1))
    with database.transaction() as tx:
        external_hosts.edge_seen(tx, EdgeSeen((SeenRoute(MAIL, RouteState.ROUTED, "", ending),)))
        external_hosts.seen(tx, TunnelSeen((), (SeenRoute(MAIL, RouteState.ROUTED),)))
        assert external_hosts.routes_of(tx, ["mail"])["mail"].certificate is None
    certificate_rules.look(database)
    with database.transaction() as tx:
        assert alerts.open_of(tx, ["mail"]) == {}


def test_maintenance_needs_a_public_name_and_ends_once(
    database: Database, table: ExternalHostTable, fence: Fence
) -> None:
    spec = parse(SPEC.format(app="mail", host=MAIL))
    with database.transaction() as tx:
        registry.apply(tx, None, spec, actor="test")
        with pytest.raises(Conflict, match="mail has no public name"):
            maintenances.begin(tx, "mail", "", None, "ada")
    table.claim("mail", MAIL, fence)
    assert routes_now(database).routes[0].maintenance is None
    with database.transaction() as tx:
        maintenances.begin(tx, "mail", "Back soon.", None, "ada")
        maintenances.begin(tx, "mail", "Back soon.", "<p>own", "bob")
        found = maintenances.of(tx, ["mail"])["mail"]
    assert found.note.endswith("by ada: Back soon.")
    assert routes_now(database).routes[0].maintenance == "<p>own"
    with database.transaction() as tx:
        maintenances.end(tx, "mail", "ada")
        maintenances.end(tx, "mail", "ada")
        said = tx.scalars(text("SELECT data ->> 'on' FROM events WHERE kind = 'app.maintenance' ORDER BY id")).all()
    assert list(said) == ["true", "true", "false"]
    assert routes_now(database).routes[0].maintenance is None


def test_maintenance_is_refused_while_a_tunnel_leads_past_the_door(
    database: Database, table: ExternalHostTable, fence: Fence
) -> None:
    with database.transaction() as tx:
        registry.apply(tx, None, parse(SPEC.format(app="mail", host=MAIL)), actor="test")
    table.claim("mail", MAIL, fence)
    port = routes_now(database).routes[0].port
    ruled = ExternalHost(MAIL, "mail", ruled=True)
    # a rule from before the port for public names existed
    table.save(replace(ruled, service=f"http://127.0.0.1:{port}"), fence)
    with pytest.raises(Conflict) as refused, database.transaction() as tx:
        maintenances.begin(tx, "mail", "", None, "ada")
    assert "norn forge mail" in refused.value.hint
    table.save(replace(ruled, service="http://127.0.0.1:18799"), fence)
    with database.transaction() as tx:
        maintenances.begin(tx, "mail", "", None, "ada")
        assert list(maintenances.of(tx, ["mail"])) == ["mail"]
