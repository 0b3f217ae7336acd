"""All groups of settings as one class, and values that are computed from settings of several groups."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from norn_tasks.settings.alerts import AlertSettings
from norn_tasks.settings.api import ApiSettings
from norn_tasks.settings.clusters import ClusterSettings
from norn_tasks.settings.jobs import JobSettings
from norn_tasks.settings.public import PublicSettings
from norn_tasks.settings.releases import ReleaseSettings
from norn_tasks.settings.retention import RetentionSettings
from norn_tasks.settings.services import ServiceSettings
from norn_tasks.settings.storage import StorageSettings


# pydantic lists the fields of the last base first, and the page and the API list the settings in that order.
class Settings(
    AlertSettings,
    RetentionSettings,
    ServiceSettings,
    PublicSettings,
    ClusterSettings,
    ReleaseSettings,
    JobSettings,
    ApiSettings,
    StorageSettings,
):
    """All settings; each field `x` is read from `NORN_X`. One with `repr=False` may hold a secret, and is not shown."""

    # Log lines and tests
    log_format: Literal["text", "json"] = Field("text", description="shape of the log lines")
    test_build: bool = Field(False, description="only in tests: failpoints and the no-op runtime work")
    noop_runtime: bool = Field(False, description="only with test_build: runs end well at once, without a container")
    failpoint: str = Field("", description="only with test_build: step:point:action")

    @property
    def api_key_path(self) -> Path:
        """The file of the private key of the API."""
        return (self.api_key_file or self.data_dir / "api.key").expanduser()

    @property
    def door_address(self) -> str | None:
        """The address of the router's port for public names (the door); None if the router does not open it."""
        return f"{self.router_address}:{self.edge_door}" if self.has_edge or self.has_tunnel else None

    @property
    def edge_dir(self) -> Path:
        """The directory of the edge, with its certificates."""
        return self.data_dir.expanduser().resolve() / "edge"
