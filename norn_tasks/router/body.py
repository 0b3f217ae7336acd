"""A request's body on its way to a replica: remembered while it is small, so that the request can be repeated."""

from __future__ import annotations

import h11

from norn_tasks.router.wire import Wire, WireError

KEPT_MAX = 64 * 1024
"""Largest body that can be sent a second time, bytes."""


class Body:
    """The body of the request that `client` is sending; `broken` holds what went wrong on the client's side."""

    def __init__(self, client: Wire) -> None:
        self.complete = False
        self.repeatable = True
        self.broken: WireError | None = None
        self._client = client
        self._kept: list[h11.Event] = []
        self._size = 0

    def start(self, wire: Wire) -> None:
        """Puts on the wire what is remembered, and what more is there without waiting; raises WireError."""
        for event in self._kept:
            wire.put(event)
        while not self.complete and (more := self._client.ready()) is not None:
            self._pass(more, wire)

    async def feed(self, wire: Wire) -> None:
        """Sends the rest as the client sends it. A client that breaks off takes the wire down with it.

        A replica that does not take it all may have answered already: its answer decides, not this.
        """
        try:
            while not self.complete:
                await wire.flush()
                self._pass(await self._client.event(), wire)
            await wire.flush()
        except WireError as broken:
            if broken.wire is self._client:
                self.broken = broken
                wire.abort()

    def _pass(self, event: object, wire: Wire) -> None:
        if isinstance(event, h11.EndOfMessage):
            self.complete = True
        elif not isinstance(event, h11.Data):
            raise WireError(self._client, "the request broke off")
        else:
            self._size += len(event.data)
        if self._size <= KEPT_MAX:
            self._kept.append(event)
        else:
            self.repeatable = False
            self._kept.clear()
        wire.put(event)
