"""The router after a reboot without its database, next to a second router, and with many addresses to confirm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from norn_tasks.store.database.session import Database
from norn_tasks.store.replicas import routes
from tests.router_kit import Message, Server, ask, get, story
from tests.router_processes import NAME, Routers
from tests.servers import Postgres, wait_until


@pytest.fixture
def routers(database: Database, database_url: str, tmp_path: Path) -> Iterator[Routers]:
    routers = Routers(database, database_url, tmp_path)
    yield routers
    routers.end()


@pytest.fixture
def with_door(database: Database, database_url: str, tmp_path: Path) -> Iterator[Routers]:
    """Routers that also open the port for public names."""
    routers = Routers(database, database_url, tmp_path, door=True)
    yield routers
    routers.end()


@story
async def test_a_router_that_starts_without_its_database_serves_by_the_saved_table(
    routers: Routers, postgres: Postgres
) -> None:
    async with Server() as server:
        await asyncio.to_thread(routers.live, server)
        first = routers.start()
        await asyncio.to_thread(routers.logged, first, "blog: its address is open")
        await asyncio.to_thread(wait_until, routers.saved.exists, 20, "the table is saved")
        routers.kill(first)
        await asyncio.to_thread(postgres.stop)
        try:
            second = routers.start()
            await asyncio.to_thread(routers.logged, second, "blog: its address is open")
            assert (await get(routers.port)).status == 200
            assert "requests go by the routing table that was saved at" in routers.lines(second)
        finally:
            await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(routers.logged, second, "the database is back, and the routes are current")
        assert (await get(routers.port)).status == 200


@story
async def test_the_door_of_public_names_stays_shut_until_the_router_knows_them(
    with_door: Routers,
) -> None:
    routers = with_door
    async with Server() as server:
        await asyncio.to_thread(routers.live, server)
        first = routers.start()
        await asyncio.to_thread(routers.logged, first, "the port for public names: it is open")
        await asyncio.to_thread(wait_until, routers.saved.exists, 20, "the table is saved")
        routers.kill(first)
        with routers.slow_database():
            routers.start()
            assert (await first_answer(routers.door)).status == 200


async def first_answer(port: int) -> Message:
    """Sends a request as soon as a connection is accepted, as the edge (the public entry) does."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.005)
            continue
        got = await ask(reader, writer, "GET / HTTP/1.1", f"Host: {NAME}")
        writer.close()
        return got


def test_a_router_without_a_saved_table_says_that_no_address_is_open(routers: Routers, postgres: Postgres) -> None:
    postgres.stop()
    try:
        routers.logged(routers.start(), "there is no saved routing table: no address is open")
    finally:
        postgres.start()


@story
async def test_a_second_router_waits_and_says_which_process_holds_the_ports(routers: Routers) -> None:
    first = routers.start()
    await asyncio.to_thread(routers.logged, first, "blog: its address is open")
    second = routers.start()
    await asyncio.to_thread(
        routers.logged, second, f"another router of this Norn (pid {routers.pid(first)}) holds the ports"
    )
    assert "taken" not in routers.lines(second)
    assert routers.address().error is None
    routers.kill(first)
    await asyncio.to_thread(routers.logged, second, "blog: its address is open")
    assert (await get(routers.port)).status == 503


def test_a_second_router_that_waits_ends_at_once(routers: Routers) -> None:
    routers.logged(routers.start(), "blog: its address is open")
    routers.logged(routers.start(), "another router of this Norn")
    assert routers.end() == [0, 0]


def test_any_number_of_addresses_is_confirmed_by_one_statement(database: Database) -> None:
    errors = {f"app-{n}": None if n % 2 else f"port {n} is taken" for n in range(500)}
    with database.transaction() as tx:
        for n, app in enumerate(errors):
            routes.reserve_address(tx, app, 20_000 + n, 20_000 + n)
        statements: list[str] = []
        event.listen(tx, "before_cursor_execute", lambda *args: statements.append(args[2]))
        routes.mark_all_listening(tx, errors)
        assert len(statements) == 1
        assert {row.app: row.error for row in routes.addresses(tx)} == errors
        assert all((row.silent is None) == (row.error is not None) for row in routes.addresses(tx))
