"""What may stand in a path: ids that fit the database, and the rest of a function's path as it is."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class IdConverter(BaseConverter):
    """A positive whole number below 10^18; anything else is no such address."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        """Answers the number."""
        return int(value)


class RestConverter(BaseConverter):
    """Whatever is left of the path, slashes and all, nothing included."""

    regex = ".*"
    part_isolating = False


CONVERTERS: dict[str, type[BaseConverter]] = {"id": IdConverter, "rest": RestConverter}
