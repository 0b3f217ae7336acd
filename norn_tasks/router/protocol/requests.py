"""The parser of requests, based on llhttp: turns a client's bytes into heads for the replica and pieces of bodies."""

from __future__ import annotations

import httptools

from norn_tasks.router.protocol.heads import Fields, RequestHead, RequestRefused, request_head, trailer_lines

HEAD_MAX = 64 * 1024
"""The most bytes that may arrive before the end of a head, of a chunk's size or of trailers; after that the request is
refused.
"""
KEPT_MAX = 64 * 1024
"""The largest body, in bytes, that is kept so that it can be sent again."""
SLICE_BYTES = 16 * 1024
"""The bytes that are parsed in one step, which limits the number of requests that one read can create."""


class ClientRequest:
    """A request: its head, and the pieces of its body that have arrived and may still be needed."""

    whole = False
    repeatable = True
    """True while every piece is kept, so that the body can be sent again from its start."""
    discarded = False
    """True if the request has been answered, so that the rest of its body is discarded."""
    expects_continue = False
    """True while the client waits for `100 Continue` before it sends its body."""
    _sent = 0
    _size = 0

    def __init__(self, head: RequestHead) -> None:
        self.head = head
        self._pieces: list[bytes] = []
        if head.expects_continue:
            self.expects_continue = True

    def add(self, piece: bytes) -> None:
        """Takes the next piece of the body."""
        self.expects_continue = False
        if self.discarded:
            return
        self._size += len(piece)
        self._pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece) if self.head.length is None else piece)
        if self._size > KEPT_MAX and self.repeatable:
            self.repeatable = False
            del self._pieces[: self._sent]
            self._sent = 0

    def end(self, trailers: Fields) -> None:
        """Marks the end of the body."""
        if self.head.length is None:
            self._pieces.append(b"0\r\n%s\r\n" % trailer_lines(trailers))
        self.whole = True

    def from_start(self) -> bytes:
        """Returns the head and the part of the body that has arrived; both count as sent from now on."""
        self._sent = 0
        return self.head.raw + self.unsent() if self._pieces else self.head.raw

    def unsent(self) -> bytes:
        """Returns the part of the body that has arrived and was not sent yet; it counts as sent from now on."""
        if self._sent == len(self._pieces):
            return b""
        data = b"".join(self._pieces[self._sent :])
        if self.repeatable:
            self._sent = len(self._pieces)
        else:
            self._pieces.clear()
        return data


class RequestReader:
    """Parses the bytes of one client's connection into requests, or into the reason why they are invalid.

    `arrived` holds the requests that were not taken yet, oldest first; `refused` says why no more will come.
    """

    refused: RequestRefused | None = None
    _reading: ClientRequest | None = None
    _target = b""
    _unfinished = 0
    _body_was_skipped = False
    _head_is_repeated = False

    def __init__(self, peer: bytes, address: bytes) -> None:
        self.arrived: list[ClientRequest] = []
        self._peer, self._address = peer, address
        self._fields: Fields = []
        self._parser = httptools.HttpRequestParser(self)

    def close(self) -> None:
        """Deletes the parser. The parser and this object refer to each other, and would otherwise stay until garbage
        collection.
        """
        del self._parser

    @property
    def inside_head(self) -> bool:
        """True if part of the next request's head has arrived."""
        return self._reading is None and self._unfinished > 0

    def feed(self, data: bytes) -> bytes:
        """Parses bytes up to about the end of the first complete request; returns the rest, which is parsed after the
        request was answered.
        """
        if len(data) <= SLICE_BYTES:
            return self._feed(data)
        for start in range(0, len(data), SLICE_BYTES):
            rest = self._feed(data[start : start + SLICE_BYTES])
            if rest or self.refused or (self.arrived and self._reading is None):
                return rest + data[start + SLICE_BYTES :]
        return b""

    def _feed(self, data: bytes) -> bytes:
        self._unfinished += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._after_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            # An error that a callback raised is the context of the parser's own error.
            cause = error.__context__
            self.refused = cause if isinstance(cause, RequestRefused) else RequestRefused(400, str(error))
        if self._unfinished > HEAD_MAX and not self.refused:
            self.refused = RequestRefused(431, "its head is too large")
        return b""

    def _after_upgrade(self, rest: bytes) -> bytes:
        """Continues after a head that proposes another protocol. If the request has no body, the rest waits for the
        answer.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self._reading is None:
            return rest
        # llhttp skips the body of such a request. So a second parser parses the body, after a made-up head that
        # describes the same body.
        length = self._reading.head.length
        framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
        self._head_is_repeated = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        return self._feed(rest)

    # Callbacks of llhttp

    def on_url(self, url: bytes) -> None:
        """Takes a part of the request's target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a field of the head, or a trailer."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Creates a request from the head; raises RequestRefused."""
        fields, self._fields = self._fields, []
        target, self._target = self._target, b""
        self._unfinished = 0
        if self._head_is_repeated:
            self._head_is_repeated = False
            return
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        head = request_head(method, target, version, fields, self._peer, self._address)
        self._reading = request = ClientRequest(head)
        if head.length != 0 and parser.should_upgrade():
            self._body_was_skipped = True
        self.arrived.append(request)

    def on_body(self, body: bytes) -> None:
        """Takes a piece of the body."""
        self._unfinished = 0
        if self._reading is not None:
            self._reading.add(body)

    def on_message_complete(self) -> None:
        """Ends the request, unless its body must still be parsed."""
        self._unfinished = 0
        if self._body_was_skipped:
            self._body_was_skipped = False
        elif self._reading is not None:
            trailers = self._fields
            if trailers:
                self._fields = []
            self._reading.end(trailers)
            self._reading = None
