"""The router's ports for runs: the host name in the request selects the app, and only the network of runs may
connect.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from norn_tasks.router.by_name.run_ports import RunPorts
from norn_tasks.router.clients import ClientLimits
from norn_tasks.router.table import Table
from norn_tasks.store.replicas.routes import Route, Routes
from tests.router_kit import Act, Message, Server, answer, ask, story
from tests.servers import free_port

LOOPBACK = "127.0.0.1/8"


def says(word: bytes) -> Act:
    """Returns the behaviour of a server that responds to each request with this word."""

    async def act(_request: Message, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(word))

    return act


@asynccontextmanager
async def two_apps(port: int, address: str = LOOPBACK) -> AsyncIterator[dict[str, str | None]]:
    """Runs `blog` and `shop`, whose containers listen at the same port; yields the state that the router reports for
    them.
    """
    reported: dict[str, str | None] = {}
    blog, shop = Server(says(b"blog")), Server(says(b"shop"))
    table = Table(lambda _: None)
    ports = RunPorts(table, reported.__setitem__, ClientLimits(100, 120, 30))
    async with blog, shop:
        routes = (
            Route("blog", 1, (blog.target,), release=1, host="blog-service", container_port=port),
            Route("shop", 2, (shop.target,), release=1, host="shop", container_port=port),
            Route("fresh", 3, ()),
        )
        table.apply(Routes(routes))
        await ports.open_for(address, routes)
        try:
            yield reported
        finally:
            await ports.close(1)
            table.close()


async def asked(port: int, host: str) -> Message:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await ask(reader, writer, "GET / HTTP/1.0", f"Host: {host}")
    finally:
        writer.close()


@story
async def test_the_name_in_host_says_which_of_the_apps_at_a_port_is_meant() -> None:
    port = free_port()
    async with two_apps(port) as reported:
        assert reported == {"blog": None, "shop": None}
        assert (await asked(port, f"blog-service:{port}")).body == b"blog"
        assert (await asked(port, "SHOP.")).body == b"shop"
        assert (await asked(port, "blog")).status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for host in ("shop", "blog-service", "shop"):  # also from request to request
            got = await ask(reader, writer, "GET / HTTP/1.1", f"hOsT:  {host}")
            assert got.body == host.partition("-")[0].encode()
        writer.close()


@story
async def test_a_client_from_elsewhere_gets_no_byte() -> None:
    port = free_port()
    async with two_apps(port, "127.0.0.1/32"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        writer.write(b"GET / HTTP/1.0\r\nHost: shop\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


@story
async def test_a_port_that_another_program_has_is_reported_for_each_of_its_apps() -> None:
    port = free_port()
    other = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with two_apps(port) as reported:
        assert reported == dict.fromkeys(("blog", "shop"), f"port {port} is taken by another program")
    other.close()


@story
async def test_a_port_of_a_database_is_left_free() -> None:
    """The router speaks HTTP, and a database of this machine must be able to listen at this port."""
    reported = dict[str, str | None]()
    ports = RunPorts(Table(lambda _: None), reported.__setitem__, ClientLimits(100, 120, 30))
    names = {"pg": 5432, "kv": 6379, "shared": 25432}
    await ports.open_for(
        LOOPBACK, [Route(app, 1, (), release=1, host=app, container_port=port) for app, port in names.items()]
    )
    assert reported == {app: f"port {port} is left to databases" for app, port in names.items()}
    await ports.close(1)


@story
async def test_a_port_of_norns_own_is_left_free() -> None:
    """An app with this port could otherwise prevent the next start of the API."""
    port, reported = free_port(), dict[str, str | None]()
    ports = RunPorts(Table(lambda _: None), reported.__setitem__, ClientLimits(100, 120, 30), {port})
    await ports.open_for(LOOPBACK, (Route("blog", 1, (), release=1, host="blog", container_port=port),))
    assert reported == {"blog": f"port {port} is one of Norn's own"}
    with socket.create_server(("127.0.0.1", port)):
        await ports.close(1)
