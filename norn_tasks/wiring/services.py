"""The shared services of apps: their servers, and the dumps of databases."""

from __future__ import annotations

from collections.abc import Mapping

from norn_tasks.adapters.services import Dumps, GivenServer, LocalServer, NoServer, Server, postgres, valkey
from norn_tasks.adapters.services.local import programs
from norn_tasks.adapters.services.storage import FileBucket
from norn_tasks.domain.services import ServiceKind, bucket_of_backups, dump_directories
from norn_tasks.settings import Settings


def service_servers(settings: Settings) -> Mapping[ServiceKind, Server]:
    """Returns the servers of apps' services: the ones that the operator named, otherwise the ones that Norn runs."""
    keys = _keys(settings)
    events = GivenServer(settings.services_events_url, settings.services_events_address)
    buckets = GivenServer(settings.services_s3_url, settings.services_s3_address)
    return {
        ServiceKind.POSTGRES: _databases(settings),
        ServiceKind.KV: keys,
        ServiceKind.EVENTS: events if events.url else keys,
        ServiceKind.STORAGE: buckets if buckets.url else NoServer("object store", "NORN_SERVICES_S3_URL"),
    }


def _databases(settings: Settings) -> Server:
    if settings.services_postgres_url:
        return GivenServer(settings.services_postgres_url, settings.services_postgres_address)
    setting = "NORN_SERVICES_POSTGRES_URL"
    return LocalServer(settings.services_dir, "postgres", "PostgreSQL", setting, postgres.answers)


def _keys(settings: Settings) -> Server:
    if settings.services_kv_url:
        return GivenServer(settings.services_kv_url, settings.services_kv_address)
    return LocalServer(settings.services_dir, "kv", "key-value server", "NORN_SERVICES_KV_URL", valkey.answers)


def dumps(settings: Settings) -> Dumps:
    """Returns the directories of dumps, and the programs that make them."""
    places = dump_directories(settings.data_dir, settings.database_backups)
    named = bucket_of_backups(settings.database_backups)
    bucket = FileBucket(settings.services_s3_url, *named) if named is not None else None
    return Dumps(places, lambda: programs(settings.services_dir), bucket)
