"""Reads a request strictly: a body is JSON of one object or nothing, and nobody guesses what was meant."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn, TypeVar, cast

import flask
from flask import Request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from norn_api.fields import fields_invalid
from norn_tasks.domain.errors import BadRequest, BodyTooLarge, DiskFull, UnsupportedMedia
from norn_tasks.store import disk

M = TypeVar("M", bound=BaseModel)

_IN_MEMORY, _PIECE = 1024 * 1024, 64 * 1024
_SMALLER = "send less, or raise NORN_JSON_MAX on the server"


class StrictRequest(Request):
    """A Flask request whose JSON and raw bodies are read under limits, with errors that say what was wrong."""

    _body: bytes | None = None

    def read_body(self, limit: int, what: str = "the body", hint: str = _SMALLER) -> bytes:
        """Reads the whole body, once; raises BodyTooLarge while reading, before more than `limit` bytes are held.

        werkzeug cuts a body without a length off at its maximum and says nothing: so we allow one byte more, and look.
        """
        if self._body is None:
            self.max_content_length = limit + 1
            try:
                body = self.get_data(cache=True)
            except RequestEntityTooLarge as error:
                raise _too_large(what, limit, hint) from error
            if len(body) > limit:
                raise _too_large(what, limit, hint)
            if self.content_length is not None and len(body) < self.content_length:
                raise BadRequest("the body ended before its length", hint="send it again")
            self._body = body
        return self._body

    @property
    def json_limit(self) -> int:
        """The largest body of requests that are not a function's."""
        return int(flask.current_app.config["MAX_CONTENT_LENGTH"])

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Answers the body as one JSON object; an absent body is an empty object.

        Raises UnsupportedMedia, BadRequest or BodyTooLarge whatever `silent` says.
        """
        body = self.read_body(self.json_limit)
        if not body and not self.content_type:
            return {}
        if self.mimetype != "application/json":
            raise self._unsupported("application/json")
        return _one_object(body)

    def raw(self, limit: int, kinds: tuple[str, ...]) -> bytes:
        """Answers a body of one of these content types; raises UnsupportedMedia or BodyTooLarge."""
        if self.mimetype not in kinds:
            raise self._unsupported(*kinds)
        return self.read_body(limit, hint=f"send at most {limit // 1024} KiB")

    def spooled(self, limit: int, kinds: tuple[str, ...], hint: str, room: Path) -> IO[bytes]:
        """Reads a large body of one of these content types into a temporary file in `room`, which the caller closes.

        Raises UnsupportedMedia, BadRequest, BodyTooLarge or DiskFull while reading.
        """
        if self.mimetype not in kinds:
            raise self._unsupported(*kinds)
        self.max_content_length = limit + 1
        beside = str(room) if room.is_dir() else None  # nothing made it, where people start processes themselves
        spool = SpooledTemporaryFile(max_size=_IN_MEMORY, dir=beside)  # noqa: SIM115 - handed on, read by the caller
        try:
            shutil.copyfileobj(self.stream, spool, _PIECE)
            size = spool.tell()
            spool.seek(0)
        except RequestEntityTooLarge as error:
            raise _too_large("the body", limit, hint) from error
        except (ClientDisconnected, TimeoutError) as error:
            raise BadRequest("the body stopped coming before its end", hint="send it again") from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            space = disk.here(room)
            raise DiskFull(f"the disk is full: {space.told()}", hint=space.hint, retry_after=10) from error
        if size > limit:
            raise _too_large("the body", limit, hint)
        if self.content_length is not None and size < self.content_length:
            raise BadRequest("the body ended before its length", hint="send it again")
        return cast(IO[bytes], spool)

    def asked(self, model: type[M]) -> M:
        """Answers the JSON body as a model; raises FieldsInvalid."""
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
    """Answers the request that is being handled."""
    return cast(StrictRequest, flask.request)


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
