"""The shared services of apps: their servers, and the directory of database backups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from norn_tasks.domain.services import BackupDirectory, ServiceKind
from norn_tasks.domain.setting_values import host_and_port, postgres_url, redis_url, s3_url
from norn_tasks.settings.group import SettingsGroup


class ServiceSettings(SettingsGroup):
    """The settings of the shared services of apps."""

    services_postgres_url: Annotated[str, AfterValidator(postgres_url)] = Field(
        "", repr=False, description="PostgreSQL for apps, with a role that makes others; empty: that of norn up"
    )
    services_postgres_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )
    services_kv_url: Annotated[str, AfterValidator(redis_url)] = Field(
        "", repr=False, description="Valkey or Redis 7 for apps, with a user that makes others; empty: that of norn up"
    )
    services_kv_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )
    services_events_url: Annotated[str, AfterValidator(redis_url)] = Field(
        "", repr=False, description="Valkey or Redis 7 for topics; empty: that for keys"
    )
    services_events_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )
    services_s3_url: Annotated[str, AfterValidator(s3_url)] = Field(
        "", repr=False, description="S3 for apps, with a key that makes buckets and users; empty: there are no buckets"
    )
    services_s3_address: Annotated[str, AfterValidator(host_and_port)] = Field(
        "", description="its address for apps, host:port; empty: that of the URL"
    )

    database_backups: BackupDirectory = Field(
        "", description="directory of database backups, or s3://BUCKET/PREFIX; empty: in NORN_DATA_DIR"
    )

    def servers_of_norn_up(self, kinds: Iterable[ServiceKind]) -> tuple[ServiceKind, ...]:
        """Returns the kinds for which the settings name no server, so that the server that `norn up` runs is used."""
        kv = self.services_kv_url
        named = {"postgres": self.services_postgres_url, "kv": kv, "events": self.services_events_url or kv}
        return tuple(kind for kind in kinds if kind in named and not named[kind])
