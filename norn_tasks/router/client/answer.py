"""The answer to a request, as its client gets it: a replica's answer in a framing that the client understands, or an
answer of the router itself.
"""

from __future__ import annotations

from norn_tasks.router.client.requester import Requester
from norn_tasks.router.protocol import answers
from norn_tasks.router.protocol.heads import Fields, answer_head, early_head
from norn_tasks.router.protocol.replies import ReplyHead
from norn_tasks.router.protocol.requests import ClientRequest


class ClientAnswer:
    """An answer on its way to a client; `closing` is True if the client's connection ends after it."""

    _answered = False
    _chunking = False

    def __init__(self, client: Requester, request: ClientRequest, *, closing: bool) -> None:
        self.request = request
        self.closing = closing or request.head.closes
        self._client = client
        self._out: list[bytes] = []

    # A replica's answer

    def early(self, status: int, reason: bytes, fields: Fields) -> bool:
        """Passes a 1xx answer on to a client that understands it; returns False for a 101 that the client did not
        request.
        """
        request = self.request
        if status == 101 and not (request.head.upgrades and request.whole):
            return False
        if status == 100:
            request.expects_continue = False
        if request.head.modern:
            self._out.append(early_head(status, reason, fields))
        return True

    def reply_head(self, head: ReplyHead) -> None:
        """Passes the answer's head on, with the framing that the client understands."""
        self._close_if_unsure()
        modern = self.request.head.modern
        chunked = modern and head.chunked
        if not head.bodyless and (head.chunked or not head.sized):
            self._chunking = chunked = modern
            self.closing = self.closing or not modern
        self._out.append(answer_head(head.status, head.reason, head.pieces, chunked=chunked, closing=self.closing))
        self._answered = True

    def _close_if_unsure(self) -> None:
        """Ends the connection of a client that waits for `100 Continue`, because nobody knows whether it will still
        send its body.
        """
        if self.request.expects_continue and not self.request.whole:
            self.closing = True

    def reply_body(self, piece: bytes) -> None:
        """Passes a piece of the body on."""
        self._out.append(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunking else piece)

    def flush(self) -> None:
        """Sends the part of the answer that has arrived."""
        out = self._out
        if out:
            self._client.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    # The router's own answers

    def _answer(self, status: int, sentence: str, *, retry: bool = False) -> None:
        self._close_if_unsure()
        method = self.request.head.method
        self._say(answers.plain(status, sentence, method=method, retry=retry, closing=self.closing))

    def _say(self, answer: bytes) -> None:
        """Ends the exchange with a complete answer of the router itself."""
        self._client.write(answer)
        self._answered = True
        self._end()

    def _end(self) -> None:
        self._client.answered(closing=self.closing)
