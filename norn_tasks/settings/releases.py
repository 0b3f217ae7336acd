"""Releases: the limits of fetching the source, of building and testing an image, and of a rollout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from norn_tasks.domain.setting_values import Memory
from norn_tasks.settings.group import Seconds, SettingsGroup

_LEAST_BUILD = 512 * 1024**2


class ReleaseSettings(SettingsGroup):
    """The settings of building, testing and rolling out."""

    build_memory: Memory = Field(2 * 1024**3, description="memory of one image build, bytes")
    build_cpus: float = Field(1.5, gt=0, description="cores of one image build")
    builder: Literal["auto", "classic"] = Field("auto", description="classic: the builder that enforces the limits")
    build_cache_max: Memory = Field(10 * 1024**3, description="the builder's cache above which it is trimmed, bytes")
    image_max: Memory = Field(10 * 1024**3, description="largest image that a build may make, bytes")
    build_timeout: Seconds = Field(1800, description="limit of one image build")
    clone_timeout: Seconds = Field(300, description="limit of fetching the source")
    source_max: Memory = Field(64 * 1024**2, description="largest source tree, bytes")
    git_ca: Path | None = Field(None, description="certificates (PEM) that git trusts instead of the system's")
    git_private: bool = Field(False, description="git may reach loopback, link-local and private addresses")
    poll_seconds: float = Field(
        300, ge=0, description="seconds between two polls of a repository without webhook; 0: none"
    )
    test_timeout: Seconds = Field(600, description="limit of build.test")
    migrate_timeout: Seconds = Field(1800, description="limit of migrations.command")
    rollout_timeout: Seconds = Field(120, description="how long a new replica may take to become healthy")
    stay_up: Seconds = Field(10, description="how long a new replica without a healthcheck must stay up to go live")
    run_timeout: Seconds = Field(3600, description="limit of a one-off command that names none")
    run_timeout_max: Seconds = Field(86400, description="longest limit that a one-off command may name")
    drain_timeout: Seconds = Field(10, description="how long open requests of a leaving replica may take")
    stream_timeout: int = Field(
        3600, ge=0, le=604800, description="seconds that a replaced replica may keep its open connections; 0: none"
    )

    def build_reserve(self, memory: int) -> int:
        """Returns the bytes that a build reserves on an engine that has `memory` bytes for apps.

        A build may use more memory, up to its limit. But if it reserved its limit, nothing else could run on a small
        engine.
        """
        return min(self.build_memory, max(memory // 4, _LEAST_BUILD))
