"""Reads the settings from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.settings.whole import Settings

PREFIX = "NORN_"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the environment.

    Raises InvalidRequest, which names the variable, if a value cannot be read.
    """
    environ = os.environ if environ is None else environ
    given = {
        name: environ[PREFIX + name.upper()] for name in Settings.model_fields if environ.get(PREFIX + name.upper())
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise InvalidRequest(
            f"{name}: {first['msg'].removeprefix('Value error, ')}",
            hint=f"correct {name} or unset it; its meaning is in docs/settings.md",
        ) from None
