"""Reads a request strictly: each body has a limit, a JSON body must be one object or empty, and nothing is guessed."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn, TypeVar, cast

import flask
from flask import Request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from norn_api.streaming.connections import Connection, TooSlow
from norn_api.web.fields import fields_invalid
from norn_tasks.domain.errors import BadRequest, BodyTooLarge, DiskFull, UnsupportedMedia
from norn_tasks.store.fleet import disk

M = TypeVar("M", bound=BaseModel)

_IN_MEMORY, _PIECE = 1024 * 1024, 64 * 1024
_DISCARDED_MAX, _DISCARD_SECONDS = 64 * 1024 * 1024, 30.0
_PIECES = 16
_SMALLER = "send a smaller body, or raise NORN_JSON_MAX on the server"


class StrictRequest(Request):
    """A Flask request whose JSON and raw bodies are read under limits, with errors that say what was wrong."""

    _body: bytes | None = None

    def read_body(
        self, limit: int, what: str = "the body", hint: str = _SMALLER, *, seconds: float | None = None
    ) -> bytes:
        """Reads the complete body, once; raises BodyTooLarge while reading, before more than `limit` bytes are in
        memory.

        `seconds`: the longest time that this may take; after it, BadRequest is raised.
        """
        if self._body is None:
            self.max_content_length = limit + 1  # werkzeug silently cuts a longer body that has no Content-Length
            within = nullcontext() if seconds is None else Connection(self.environ).within(seconds)
            with _reading(what, limit, hint), within:
                body = self.get_data(cache=True)
            self._require_whole(len(body), what, limit, hint)
            self._body = body
        return self._body

    def discard_rest(self) -> None:
        """Reads and discards the rest of the request, because the client would lose the response if the connection were
        closed before that.
        """
        left = _DISCARDED_MAX if self.has_body else 0
        with contextlib.suppress(OSError, ParseException), Connection(self.environ).within(_DISCARD_SECONDS):
            while left > 0 and (piece := self.environ["wsgi.input"].read(_PIECE)):
                left -= len(piece)

    def discard_what_came(self) -> None:
        """Reads and discards what has arrived of the body; if more is to follow, the connection ends afterwards.

        Otherwise, a thread of the HTTP server would wait for the rest of the body.
        """
        connection = Connection(self.environ)
        with contextlib.suppress(OSError, ParseException), connection.at_once():
            for _ in range(_PIECES):
                if not self.environ["wsgi.input"].read(_PIECE):
                    return
        connection.stop_reading()

    @property
    def has_body(self) -> bool:
        """True if the request has a body, even one that has not arrived."""
        return bool(self.content_length) or "Transfer-Encoding" in self.headers

    @property
    def unread(self) -> bool:
        """True if the request has a body that was not read into memory."""
        return self.has_body and self._body is None

    @property
    def json_limit(self) -> int:
        """The maximum size of a JSON body in bytes (NORN_JSON_MAX)."""
        return int(flask.current_app.config["MAX_CONTENT_LENGTH"])

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Returns the body as one JSON object; an absent body is an empty object.

        Raises UnsupportedMedia, BadRequest or BodyTooLarge, even if `silent` is true.
        """
        body = self.read_body(self.json_limit)
        if not body and not self.content_type:
            return {}
        if self.mimetype != "application/json":
            raise self._unsupported("application/json")
        return _one_object(body)

    def raw(self, limit: int, kinds: tuple[str, ...]) -> bytes:
        """Returns a body of one of these content types; raises UnsupportedMedia or BodyTooLarge."""
        if self.mimetype not in kinds:
            raise self._unsupported(*kinds)
        return self.read_body(limit, hint=f"send at most {limit // 1024} KiB")

    def spooled(self, limit: int, kinds: tuple[str, ...], hint: str, room: Path) -> IO[bytes]:
        """Reads a large body of one of these content types into a temporary file in `room`, which the caller closes.

        Raises UnsupportedMedia, BadRequest, BodyTooLarge or DiskFull while reading.
        """
        if self.mimetype not in kinds:
            raise self._unsupported(*kinds)
        return self.spooled_body(limit, "the body", hint, room, _IN_MEMORY)

    def spooled_body(self, limit: int, what: str, hint: str, room: Path, in_memory: int) -> IO[bytes]:
        """Reads a body into memory while it is small, else into a temporary file in `room`; the caller closes it.

        Raises BadRequest, BodyTooLarge or DiskFull while reading.
        """
        self.max_content_length = limit + 1
        # the directory may not exist if the operator starts the processes manually
        beside = str(room) if room.is_dir() else None
        spool = SpooledTemporaryFile(max_size=in_memory, dir=beside)  # noqa: SIM115 - handed on, read by the caller
        try:
            with _reading(what, limit, hint):
                shutil.copyfileobj(self.stream, spool, _PIECE)
            size = spool.tell()
            spool.seek(0)
            self._require_whole(size, what, limit, hint)
        except OSError as error:
            spool.close()
            if error.errno != errno.ENOSPC:
                raise
            space = disk.here(room)
            raise DiskFull(f"the disk is full: {space.describe()}", hint=space.hint, retry_after=10) from error
        except BaseException:
            spool.close()
            raise
        return cast(IO[bytes], spool)

    def _require_whole(self, size: int, what: str, limit: int, hint: str) -> None:
        if size > limit:
            raise _too_large(what, limit, hint)
        if self.content_length is not None and size < self.content_length:
            raise BadRequest("the body ended before its length", hint="send it again")

    def asked(self, model: type[M]) -> M:
        """Returns the JSON body as a model; raises FieldsInvalid, and the errors of `get_json`."""
        try:
            return model.model_validate(self.get_json())
        except ValidationError as error:
            raise fields_invalid(error) from error

    def _unsupported(self, *kinds: str) -> UnsupportedMedia:
        came = self.mimetype[:80] or "a body without a content type"
        return UnsupportedMedia(
            f"this endpoint reads {', '.join(kinds)}, not {came}", hint=f"send `Content-Type: {kinds[0]}`"
        )


def current() -> StrictRequest:
    """Returns the request that is being handled."""
    return cast(StrictRequest, flask.request)


@contextmanager
def _reading(what: str, limit: int, hint: str) -> Iterator[None]:
    """Turns exceptions during the reading of a body into errors that the sender understands."""
    try:
        yield
    except RequestEntityTooLarge as error:
        raise _too_large(what, limit, hint) from error
    except TooSlow as error:
        raise BadRequest(f"{what} took too long to arrive", hint="send it again on a quicker connection") from error
    except (ClientDisconnected, TimeoutError, NoMoreData) as error:
        raise BadRequest("the body stopped coming before its end", hint="send it again") from error
    except ParseException as error:
        raise BadRequest("the body is not chunked as RFC 9112 says", hint="send it with a Content-Length") from error


def _too_large(what: str, limit: int, hint: str) -> BodyTooLarge:
    return BodyTooLarge(f"{what} is over its limit of {limit} bytes", hint=hint, limit=limit)


def _one_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise BadRequest("the body is empty", hint="send a JSON object, such as {}")
    try:
        found = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadRequest(f"the body is not JSON{where}", hint="send one JSON object in UTF-8") from error
    if not isinstance(found, dict):
        raise BadRequest("the body is JSON, but not an object", hint="send a JSON object, such as {}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest("the body has the same key twice in one object", hint="send each key once")
    return found


def _no_number(word: str) -> NoReturn:
    raise BadRequest(f"the body holds {word}, which is not JSON", hint="send a number")
