"""The settings of this server, for reading: each value, and whether it is the default; secret values are not shown."""

from __future__ import annotations

import os
from collections.abc import Iterator

from flask import Response

from norn_api.schemas.common import ListOf
from norn_api.schemas.server import SettingResponse
from norn_api.services import norn
from norn_api.web.openapi import noun, responses_of
from norn_api.web.replies import items
from norn_tasks.settings import PREFIX, Settings

api = noun("settings", "The settings of this server")


@api.get("/api/settings", responses=responses_of(ListOf[SettingResponse]))
def list_settings() -> Response:
    """Lists the settings of this API process; of a setting that may hold a password, shows only whether it is set."""
    return items(SettingResponse, _settings(norn().settings))


def _settings(settings: Settings) -> Iterator[SettingResponse]:
    for name, field in Settings.model_fields.items():
        value, secret = getattr(settings, name), not field.repr
        yield SettingResponse(
            name=f"{PREFIX}{name.upper()}",
            value=None if secret else _written(value),
            set=value != field.get_default(call_default_factory=True),
            secret=secret,
            meaning=field.description or "",
        )


def _written(value: object) -> str:
    """Returns a value as it would be written in the environment."""
    if isinstance(value, tuple):
        return os.pathsep.join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
