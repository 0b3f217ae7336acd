"""The API: its address, its limits, and who may call it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from norn_tasks.domain.setting_values import Memory
from norn_tasks.settings.group import Days, SettingsGroup


class ApiSettings(SettingsGroup):
    """The settings of the processes of the API."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8800, ge=1, le=65535, description="port the API listens on")
    auth: Literal["on", "off"] = Field("on", description="off: requests need no token; refused unless host is loopback")
    metrics: Literal["token", "open"] = Field("token", description="open: /metrics asks for no token; loopback only")
    session_days: Days = Field(7, description="days after which the page asks to sign in again")
    api_workers: int = Field(1, ge=1, le=16, description="API processes that share one port")
    max_waiting: int = Field(400, ge=1, description="synchronous calls that may wait at once in one API process")
    fn_host: str = Field("", pattern=r"^[\w.-]*$", description="host name that serves functions, and nothing else")
    open_calls_per_second: int = Field(10, ge=1, description="calls a second from one address without a token")
    calls_waiting: int = Field(100, ge=1, description="synchronous calls of one function that may wait to begin")
    async_waiting: int = Field(1000, ge=1, description="asynchronous calls of one function that may wait to begin")
    max_streams: int = Field(150, ge=1, description="event and log streams open at once in one API process")
    json_max: Memory = Field(1024 * 1024, description="largest JSON request body, bytes")
    webhook_max: Memory = Field(25 * 1024 * 1024, description="largest delivery of a webhook of a repository, bytes")
    api_key_file: Path | None = Field(None, description="key with which the API seals the secrets of webhooks")
