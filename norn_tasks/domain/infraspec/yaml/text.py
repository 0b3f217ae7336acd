"""Reads keys and values, with their positions, from the text of an infraspec, which is written in a subset of YAML.

This module reads the events of the YAML parser. They show tags and anchors as written, and reading can stop as soon as
the nesting is too deep. The parser's own trees would take seconds to minutes for 64 KiB of brackets. Scalars stay text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from norn_tasks.domain.errors import Mistake
from norn_tasks.domain.infraspec.yaml.positions import FILE_ITSELF, Path, SourceMap, Spot, dotted
from norn_tasks.domain.infraspec.yaml.scalars import UNSTORABLE, Plain
from norn_tasks.domain.infraspec.yaml.trouble import MAX_DEPTH, QUOTE_IT, TOO_DEEP, TOO_DEEP_HINT, explain

MAX_BYTES = 64 * 1024
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Events = Iterator[yaml.Event]


@dataclass(frozen=True)
class Document:
    """The contents of a file: its values (None if it cannot be read), their positions, and the syntax errors."""

    value: dict[str, Any] | None
    places: SourceMap
    mistakes: tuple[Mistake, ...]
    broken: frozenset[Path]
    """Paths of values that are not checked further, because a mistake in them is already reported."""


def read_document(text: str, file: str, loader: Any = LOADER) -> Document:
    """Reads one document; never raises an error, no matter what the text contains."""
    reader = _YamlReader(SourceMap(file))
    text = text.removeprefix("\ufeff")
    value = None if reader.refuses(text) else reader.read(text, loader)
    return Document(value, reader.places, tuple(reader.mistakes), frozenset(reader.broken))


class _Stop(Exception):
    """Raised when the rest of the text cannot be read; the reason is already among the mistakes."""


@dataclass
class _YamlReader:
    """Reads one text, and collects its mistakes and positions."""

    places: SourceMap
    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)

    def refuses(self, text: str) -> bool:
        """Returns True, and notes a mistake, if the text is too long or has characters that an infraspec may not
        contain.
        """
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            self._report(
                Spot(), FILE_ITSELF, f"the file has {size} bytes; {MAX_BYTES} at most", "keep data out of the spec"
            )
        found = UNSTORABLE.search(text)
        if found:
            lines = text[: found.start()].split("\n")
            spot = Spot(len(lines), len(lines[-1]) + 1)
            self._report(
                spot,
                FILE_ITSELF,
                f"the file has the character U+{ord(found[0]):04X}, which is not allowed",
                "take it out",
            )
        return bool(self.mistakes)

    def read(self, text: str, loader: Any) -> dict[str, Any] | None:
        """Returns the document as dicts, lists and text; None if it cannot be read, which is then among the
        mistakes.
        """
        try:
            return self._document(yaml.parse(text, Loader=loader))
        except _Stop:
            pass
        except (yaml.YAMLError, ValueError, OverflowError) as wrong:
            trouble = explain(wrong, text)
            self._report(trouble.spot, FILE_ITSELF, trouble.message, trouble.hint)
        return None

    def _document(self, events: Events) -> dict[str, Any]:
        next(events)
        if not isinstance(next(events), yaml.DocumentStartEvent):
            self._stop(Spot(), FILE_ITSELF, "the file is empty", "begin with the lines app: and role:")
        root = next(events)
        if not isinstance(root, yaml.MappingStartEvent):
            self._stop(
                _spot(root), FILE_ITSELF, "the file is not a list of fields", "begin with the lines app: and role:"
            )
        value: dict[str, Any] = self._value(root, events, ())
        next(events)
        end = next(events)
        if isinstance(end, yaml.DocumentStartEvent):
            self._report(
                _spot(end), FILE_ITSELF, "a second document begins; an infraspec is one", "take out the line ---"
            )
        return value

    def _value(self, event: yaml.Event, events: Events, path: Path) -> Any:
        spot = _spot(event)
        self.places.values.setdefault(path, spot)
        self._refuse_extras(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.AliasEvent):
            self._report(spot, path, "an alias (*…) is not allowed", QUOTE_IT)
            self.broken.add(path)
            return None
        if len(path) >= MAX_DEPTH:
            self._stop(spot, path, TOO_DEEP, TOO_DEEP_HINT)
        inside = self._mapping if isinstance(event, yaml.MappingStartEvent) else self._sequence
        return inside(events, path)

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str:
        if event.style:
            return str(event.value)
        if not event.value and path not in self.broken:
            hint = 'write one ("" is an empty text), or leave the line out'
            self._report(_spot(event), path, "it has no value", hint)
            self.broken.add(path)
        return Plain(event.value)

    def _sequence(self, events: Events, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Events, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._stop(
                    _spot(event), path or FILE_ITSELF, "a field's name must be a text", "write it as name: value"
                )
            key = str(event.value)
            self._note_key(event, (*path, key))
            found.setdefault(key, self._value(next(events), events, (*path, key)))
        return found

    def _note_key(self, event: yaml.ScalarEvent, path: Path) -> None:
        self._refuse_extras(event, path)
        spot = _spot(event)
        first = self.places.keys.setdefault(path, spot)
        if first != spot:
            self._report(spot, path, f"it is written twice, first on line {first.line}", "keep one of the two")

    def _refuse_extras(self, event: yaml.Event, path: Path) -> None:
        if getattr(event, "tag", None):
            self._report(_spot(event), path, "a tag (!…) is not allowed", "put a text that begins with ! in quotes")
            # If the tag is on the complete file, the file is still read. If the tag is on one value, that value is not
            # used.
            self.broken |= {path} - {()}
        if getattr(event, "anchor", None) and not isinstance(event, yaml.AliasEvent):
            self._report(_spot(event), path, "an anchor (&…) is not allowed", "write the value out where it is used")

    def _stop(self, spot: Spot, path: Path, message: str, hint: str) -> NoReturn:
        self._report(spot, path, message, hint)
        raise _Stop

    def _report(self, spot: Spot, path: Path, message: str, hint: str) -> None:
        field = dotted(path) or dotted(FILE_ITSELF)
        self.mistakes.append(Mistake(self.places.file, spot.line, spot.column, field, message, hint))


def _spot(event: yaml.Event) -> Spot:
    mark = event.start_mark
    return Spot(mark.line + 1, mark.column + 1) if mark else Spot()
