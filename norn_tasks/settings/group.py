"""The base class of the groups of settings, and the types of values that several groups have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0)]


class SettingsGroup(BaseModel):
    """Settings of one subject. A field with `repr=False` may hold a secret, and is not shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
