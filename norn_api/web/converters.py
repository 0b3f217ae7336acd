"""Path converters: ids that fit the database, and the rest of a function's path, unchanged."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class IdConverter(BaseConverter):
    """A positive whole number below 10^18; any other text matches no route."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        """Returns the number."""
        return int(value)


class RestConverter(BaseConverter):
    """The rest of the path with its slashes; it may be empty."""

    regex = ".*"
    part_isolating = False


CONVERTERS: dict[str, type[BaseConverter]] = {"id": IdConverter, "rest": RestConverter}
