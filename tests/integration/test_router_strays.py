"""Bytes that a replica sends after the end of its response reach no client; the router closes the connection."""

from __future__ import annotations

import asyncio

import pytest

from tests.router_kit import Message, Server, answer, stage, story

FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


def first_answers(first: bytes) -> Server:
    """Returns a server that sends these bytes to its first request, and proper responses to later ones."""
    answered: list[Message] = []

    async def act(request: Message, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(request)
        writer.write(first if len(answered) == 1 else answer(b"honest"))

    return Server(act)


@pytest.mark.parametrize(
    ("method", "first"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n" + FORGED),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + FORGED),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n" + FORGED),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 45\r\n\r\n" + FORGED),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + FORGED),
    ],
    ids=["head-with-a-body", "length-too-short", "204-with-a-body", "304-with-a-body", "after-the-last-chunk"],
)
@story
async def test_bytes_after_an_answer_are_not_the_next_clients_answer(method: str, first: bytes) -> None:
    server = first_answers(first)
    async with stage(server) as router:
        await router.ask(f"{method} / HTTP/1.1")
        assert [(await router.ask()).body for _ in range(3)] == [b"honest"] * 3
