"""Where Norn stores its data: directories, PostgreSQL, the broker, the registry, the engine, and the keys for
secrets.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from norn_tasks.domain.setting_values import default_data_dir
from norn_tasks.settings.group import SettingsGroup


class StorageSettings(SettingsGroup):
    """The directories, databases and addresses of Norn's own parts."""

    data_dir: Path = Field(default_factory=default_data_dir, description="directory of everything Norn keeps")
    database_url: str = Field("", repr=False, description="PostgreSQL 15 or later; empty: the embedded server")
    database_listen_url: str = Field(
        "", repr=False, description="PostgreSQL itself, if the database URL leads to a pooler"
    )
    database_connections: int = Field(
        20, ge=4, description="connections to PostgreSQL that the jobs or requests of one process share"
    )
    broker_url: str = Field(
        "", repr=False, description="Redis-protocol broker; empty: the embedded one of the data directory"
    )
    apps_dir: Path | None = Field(None, description="directory whose subdirectories with an infraspec.yaml are apps")
    registry_url: str = Field(
        "", repr=False, description="registry through which engines share images; empty: one engine only"
    )
    registry_config: Path | None = Field(
        None, description="docker's config.json with the credentials of registries, also of apps' own"
    )
    docker_host: str = Field("", description="engine address; empty: DOCKER_HOST, else unix:///var/run/docker.sock")

    age_key_file: Path | None = Field(None, description="file of the private key that opens secrets")
    age_key: str = Field("", repr=False, description="that key itself, for a worker that has no file")

    @property
    def listen_url(self) -> str:
        """The URL of PostgreSQL itself (not of a pooler), for LISTEN, migrations and backups, which need a session of
        their own.
        """
        return self.database_listen_url or self.database_url

    @property
    def pooled(self) -> bool:
        """True if the database URL leads to a pooler, so that each transaction may get a different session."""
        return self.listen_url != self.database_url

    @property
    def age_key_path(self) -> Path:
        """The file with the private key that decrypts secrets."""
        return (self.age_key_file or self.data_dir / "age.key").expanduser()

    @property
    def services_dir(self) -> Path:
        """The directory of the servers that norn up runs for apps."""
        return self.data_dir.expanduser().resolve() / "services"

    @property
    def engine_address(self) -> str:
        """The address of the container engine."""
        return self.docker_host or os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"
