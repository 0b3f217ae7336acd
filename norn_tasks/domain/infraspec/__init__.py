"""The infraspec of an app (`infraspec.yaml`): its fields, its rules, and its mistakes, each with line and column."""

from __future__ import annotations

from norn_tasks.domain.infraspec.fields import field_paths
from norn_tasks.domain.infraspec.later import notices
from norn_tasks.domain.infraspec.model import Infraspec
from norn_tasks.domain.infraspec.parsing import FILE_NAME, app_named, decode, from_json, parse, spec_names
from norn_tasks.domain.infraspec.schema import json_schema
from norn_tasks.domain.infraspec.sections import (
    Alerts,
    Artifacts,
    Build,
    ContainerOptions,
    DatabaseBackup,
    Events,
    FunctionOptions,
    Health,
    Hosts,
    Kv,
    Migrations,
    Postgres,
    Repo,
    Resources,
    Retries,
    Services,
    Storage,
    Volume,
)
from norn_tasks.domain.infraspec.words import (
    LONG_RUNNING,
    Auth,
    Catchup,
    Concurrency,
    FunctionTrigger,
    Network,
    Record,
    Response,
    Role,
    RolloutStrategy,
    RuntimeName,
)
from norn_tasks.domain.infraspec.yaml.text import MAX_BYTES

__all__ = [
    "Infraspec",
    "parse",
    "decode",
    "from_json",
    "json_schema",
    "notices",
    "field_paths",
    "FILE_NAME",
    "spec_names",
    "app_named",
    "MAX_BYTES",
    "Role",
    "LONG_RUNNING",
    "Catchup",
    "Concurrency",
    "RuntimeName",
    "Network",
    "FunctionTrigger",
    "Auth",
    "Response",
    "Record",
    "RolloutStrategy",
    "Health",
    "Hosts",
    "Build",
    "Repo",
    "Services",
    "Postgres",
    "DatabaseBackup",
    "Kv",
    "Events",
    "Storage",
    "Migrations",
    "Artifacts",
    "Volume",
    "Resources",
    "ContainerOptions",
    "Alerts",
    "Retries",
    "FunctionOptions",
]
