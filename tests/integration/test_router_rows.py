"""The router's rows: changes of replicas that a lost lease prevents, stable addresses, and one query with a consistent
view of routes and replicas.
"""

from __future__ import annotations

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import LeaseLost, NotFound, Unavailable
from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.jobs.replica import Replica, ReplicaState
from norn_tasks.domain.jobs.writes import RunsReachSeen
from norn_tasks.ports import Replicas
from norn_tasks.store.database.session import ROUTES, Database
from norn_tasks.store.fleet import runs_reach
from norn_tasks.store.replicas import routes
from norn_tasks.store_adapters.replicas import ReplicaTable

BLOG_1 = Replica("c1", "blog", 1, 7, ReplicaState.STARTING)


def running_job(database: Database, token: int = 5, state: str = "running") -> Fence:
    with database.transaction() as tx:
        job = tx.scalar(
            text(
                "INSERT INTO jobs (kind, class, app, exclusive, state, actor, lease_token)"
                " VALUES ('deploy', 'deploy', 'blog', true, :state, 'test', :token) RETURNING id"
            ),
            {"state": state, "token": token},
        )
    return Fence(int(job), token)


@pytest.fixture
def table(database: Database) -> Replicas:
    return ReplicaTable(database)


@pytest.fixture
def fence(database: Database) -> Fence:
    return running_job(database)


def look(database: Database) -> routes.Routes:
    with database.transaction() as tx:
        return routes.live_routes(tx)


def reserve(database: Database, app: str, first: int = 18800, last: int = 18801) -> int:
    with database.transaction() as tx:
        return routes.reserve_address(tx, app, first, last)


def test_a_replica_goes_through_its_three_states(table: Replicas, fence: Fence) -> None:
    table.starting(BLOG_1, fence)
    table.live("c1", "10.0.0.2:80", fence)
    assert [(r.state, r.address) for r in table.of_app("blog")] == [("live", "10.0.0.2:80")]
    table.leaving("c1", fence)
    assert [r.state for r in table.of_app("blog")] == ["leaving"]
    table.gone("c1", fence)
    assert table.of_app("blog") == ()


@pytest.mark.parametrize(("token", "state"), [(6, "running"), (5, "queued")])
def test_a_fallen_fence_changes_nothing(database: Database, table: Replicas, token: int, state: str) -> None:
    fence = running_job(database, token, state)
    with pytest.raises(LeaseLost):
        table.starting(BLOG_1, Fence(fence.job, 5))
    assert table.of_app("blog") == ()


def test_live_of_an_unrecorded_container_is_an_error(table: Replicas, fence: Fence) -> None:
    with pytest.raises(NotFound):
        table.live("c9", "10.0.0.9:80", fence)


def test_leaving_and_gone_twice_are_fine(table: Replicas, fence: Fence) -> None:
    table.starting(BLOG_1, fence)
    for _ in range(2):
        table.leaving("c1", fence)
    for _ in range(2):
        table.gone("c1", fence)
    assert table.drained("c1")


def test_drained_is_what_the_router_marked(database: Database, table: Replicas, fence: Fence) -> None:
    table.starting(BLOG_1, fence)
    table.live("c1", "10.0.0.2:80", fence)
    mark(database, "c1")
    assert not table.drained("c1")
    table.leaving("c1", fence)
    assert not table.drained("c1")
    mark(database, "c1")
    assert table.drained("c1")
    table.leaving("c1", fence)
    assert table.drained("c1")


def mark(database: Database, container: str) -> None:
    with database.transaction() as tx:
        routes.mark_drained(tx, container)


def test_the_look_tells_live_from_leaving(database: Database, table: Replicas, fence: Fence) -> None:
    reserve(database, "blog")
    for name in ("c1", "c2", "c3"):
        table.starting(Replica(name, "blog", 1, 7, ReplicaState.STARTING), fence)
    table.live("c1", "10.0.0.2:80", fence)
    table.live("c2", "10.0.0.3:80", fence)
    table.leaving("c2", fence)
    seen = look(database)
    assert seen.routes[0].targets == (routes.Target("c1", "10.0.0.2:80"),)
    assert seen.leaving == {"c2"}
    mark(database, "c2")
    assert look(database).leaving == frozenset()


def test_the_look_tells_the_apps_state(database: Database) -> None:
    reserve(database, "blog")
    with database.transaction() as tx:
        tx.execute(
            text(
                "INSERT INTO apps (name, role, spec, written, source, forge_state, live_deployment)"
                " VALUES ('blog', 'webserver', '{\"replicas\": 3}', '{}', 'applied', 'forged', 4)"
            )
        )
        tx.execute(
            text(
                "INSERT INTO deployments (id, app, job_id, kind, release, actor)"
                " VALUES (4, 'blog', 1, 'deploy', 2, 't')"
            )
        )
        tx.execute(text("INSERT INTO releases (app, n, spec) VALUES ('blog', 2, '{\"replicas\": 3, \"port\": 8080}')"))
    expected = routes.Route("blog", 18800, (), "forged", release=2, wanted=3, host="blog", container_port=8080)
    assert look(database).routes == (expected,)
    with database.transaction() as tx:
        tx.execute(text('UPDATE releases SET spec = spec || \'{"hosts": {"internal": "posts"}}\''))
        assert (routes.live_routes(tx).routes[0].host, routes.internal_names(tx)) == ("posts", ("posts",))


def test_a_router_reads_where_the_runs_of_its_home_engine_reach_it(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(text("UPDATE instance SET engine = 'e'"))
        tx.execute(text("INSERT INTO engines (id, memory, building) VALUES ('e', 1, 1), ('f', 1, 1)"))
        for engine, address in (("f", "10.0.0.1/24"), ("e", "172.20.0.1/16")):
            runs_reach.seen(tx, {}, RunsReachSeen(engine, address, None, None))
    assert look(database).runs_address == "172.20.0.1/16"


def test_an_address_is_kept_and_lowest(database: Database) -> None:
    assert [reserve(database, app) for app in ("blog", "shop", "blog")] == [18800, 18801, 18800]


def test_no_address_left_is_a_sentence(database: Database) -> None:
    reserve(database, "blog")
    reserve(database, "shop")
    with pytest.raises(Unavailable, match="every port from 18800 to 18801"):
        reserve(database, "wiki")


def test_a_released_address_is_given_again(database: Database) -> None:
    reserve(database, "blog")
    with database.transaction() as tx:
        routes.release_address(tx, "blog")
        routes.release_address(tx, "blog")
    assert reserve(database, "shop") == 18800


def test_a_port_that_never_worked_is_changed_by_the_next_reservation(database: Database) -> None:
    reserve(database, "blog")
    with database.transaction() as tx:
        routes.mark_listening(tx, "blog", "port 18800 is taken by another program")
    assert reserve(database, "blog") == 18801


def test_a_port_that_worked_once_is_kept(database: Database) -> None:
    reserve(database, "blog")
    with database.transaction() as tx:
        routes.mark_listening(tx, "blog", None)
        routes.mark_listening(tx, "blog", "port 18800 is taken by another program")
        seen = routes.addresses(tx)[0]
    assert seen.error == "port 18800 is taken by another program"
    assert seen.silent is not None
    assert seen.silent < 5
    assert reserve(database, "blog") == 18800


def test_each_change_is_told_on_the_channel(database: Database, table: Replicas, fence: Fence) -> None:
    listener = database.listen(ROUTES)
    table.starting(BLOG_1, fence)
    assert listener.wait(2) == ["blog"]
    table.leaving("c1", fence)
    assert listener.wait(2) == ["blog"]
    table.gone("c1", fence)
    assert listener.wait(2) == ["blog"]
    reserve(database, "shop")
    assert listener.wait(2) == ["shop"]
    listener.close()
