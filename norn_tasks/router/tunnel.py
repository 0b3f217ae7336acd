"""After an upgrade: bytes both ways, whatever they mean, until both sides have said their last."""

from __future__ import annotations

import asyncio

from norn_tasks.router.wire import Wire, WireError


async def join(one: Wire, other: Wire) -> None:
    """Passes bytes between two wires; returns when both directions have ended, or one connection is lost."""
    ways = [asyncio.create_task(_copy(one, other)), asyncio.create_task(_copy(other, one))]
    try:
        await asyncio.gather(*ways)
    except WireError:
        one.abort()
        other.abort()
    finally:
        for way in ways:
            way.cancel()


async def _copy(source: Wire, sink: Wire) -> None:
    while data := await source.read():
        await sink.write(data)
    sink.write_eof()
