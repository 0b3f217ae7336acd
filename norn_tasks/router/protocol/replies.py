"""The parser of answers, based on llhttp: passes a replica's bytes, piece by piece, to the exchange that waits for
them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import httptools

from norn_tasks.router.protocol.heads import Fields, FoundFields, answer_fields, is_chunked, length_of

HEAD_MAX = 64 * 1024
"""The most bytes that may arrive before the end of a head, of a chunk's size or of trailers; after that the reply is
refused.
"""


class ReplyHead(NamedTuple):
    """The head of a replica's answer."""

    status: int
    reason: bytes
    pieces: list[bytes]
    """The header lines that are passed on to the client, in pieces."""
    bodyless: bool
    chunked: bool
    """True if the replica sends the body in chunks."""
    sized: bool
    """True if the head says where the body ends."""


class Receiver(Protocol):
    """The receiver of an answer; its methods are called in the order in which the parts of the answer arrive."""

    def early(self, status: int, reason: bytes, fields: Fields) -> bool:
        """Receives a 1xx answer; returns False if it must not be passed on."""

    def reply_head(self, head: ReplyHead) -> None:
        """Takes the head of the final answer."""

    def reply_body(self, piece: bytes) -> None:
        """Takes a piece of its body."""


class _Unbelievable(Exception):
    """Raised for an answer that two readers could understand differently."""


class ReplyReader:
    """Parses the bytes of one connection to a replica into answers, one after the other."""

    begun = False
    """True once a byte of the answer has arrived."""
    done = False
    """True once the complete answer has arrived."""
    broken = False
    """True if the bytes are not a valid answer, or contain more than one."""
    switched: bytes | None = None
    """The first bytes of the new protocol, once the replica has switched to it."""
    _parser: httptools.HttpResponseParser | None = None
    _bodyless_request = False
    _head_done = False
    _keeps = False
    _until_end = False
    _reason = b""
    _unfinished = 0

    def __init__(self) -> None:
        self._fields: Fields = []

    def expect(self, receiver: Receiver, method: bytes) -> None:
        """Prepares for the answer to a request of that method."""
        if self._parser is None or self._bodyless_request:  # after a HEAD, the old parser would wait for a body
            self._parser = httptools.HttpResponseParser(self)
            # A reply with both a length and chunks is read, and passed on, by its chunks alone. CGI programs may end
            # lines with a bare LF; the router rewrites every line.
            self._parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_optional_cr_before_lf=True)
        self._receiver = receiver
        self._bodyless_request = method == b"HEAD"
        self.begun = self.done = self._head_done = False
        if self._fields:  # trailers that nobody has read
            self._fields = []

    @property
    def reusable(self) -> bool:
        """True if the connection can carry another request."""
        return self.done and self._keeps and not self.broken

    @property
    def trailers(self) -> Fields:
        """The fields after the body of a complete answer."""
        trailers, self._fields = self._fields, []
        return trailers

    def feed(self, data: bytes) -> None:
        """Parses bytes, and passes on the parts that they complete."""
        self.begun = True
        self._unfinished += len(data)
        parser = self._parser
        try:
            if parser is not None:
                parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.switched = data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self.broken = True
        if self._unfinished > HEAD_MAX and not self.done:
            self.broken = True

    def end_of_stream(self) -> None:
        """Completes an answer whose head does not say where the body ends, because it ends with its connection."""
        if self._head_done and self._until_end and not self.broken:
            self.done = True

    # Callbacks of llhttp

    def on_message_begin(self) -> None:
        """Detects a second answer after the first."""
        if self.done:
            self.broken = True

    def on_status(self, reason: bytes) -> None:
        """Takes a part of the reason phrase."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a field of the head, or a trailer."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Passes on a head; for an ambiguous one, raises an error, which ends the parsing."""
        parser = self._parser
        if self.done or parser is None:
            raise _Unbelievable
        self._unfinished = 0
        status = parser.get_status_code()
        fields, self._fields = self._fields, []
        reason, self._reason = self._reason, b""
        if status >= 200:
            self._keeps = parser.should_keep_alive()
            self._final_head(status, reason, fields)
            return
        switches_unasked = status == 101 and not parser.should_upgrade()
        if status < 100 or switches_unasked or not self._receiver.early(status, reason, fields):
            raise _Unbelievable

    def _final_head(self, status: int, reason: bytes, fields: Fields) -> None:
        found, pieces = answer_fields(fields)
        if not _believable(found):
            raise _Unbelievable
        chunked = b"transfer-encoding" in found
        sized = chunked or b"content-length" in found
        bodyless = self._bodyless_request or status == 304 or status == 204
        self._until_end = not sized and not bodyless
        self._head_done = True
        self._receiver.reply_head(ReplyHead(status, reason, pieces, bodyless, chunked, sized))
        if bodyless:
            self.done = True

    def on_body(self, body: bytes) -> None:
        """Passes on a piece of the body."""
        self._unfinished = 0
        if self.done or not self._head_done:
            raise _Unbelievable
        self._receiver.reply_body(body)

    def on_message_complete(self) -> None:
        """Ends the answer, unless it is a 1xx answer: then the final answer follows."""
        self._unfinished = 0
        if self._head_done:
            self.done = True


def _believable(found: FoundFields) -> bool:
    """Returns False if it is not certain from the head where the answer ends."""
    if b"transfer-encoding" in found:
        return is_chunked(found)
    return b"content-length" not in found or length_of(found) is not None
