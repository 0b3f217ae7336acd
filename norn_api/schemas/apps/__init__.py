"""Models of apps: the spec that is applied, and an app's status."""

from norn_api.schemas.apps.lines import LogsQuery
from norn_api.schemas.apps.specs import (
    AppliedSpecResponse,
    FileQuery,
    SecretsCheck,
    SourceKept,
    SpecRequest,
    UploadSummary,
    Validity,
)
from norn_api.schemas.apps.status import AppDetail, AppQuery, AppResponse, AppsQuery
from norn_api.schemas.apps.summaries import (
    FiguresResponse,
    ForgeSummary,
    JobSummary,
    LiveSummary,
    ReplicaResponse,
    ReplicasSummary,
    RunSummary,
    UsageResponse,
)
from norn_api.schemas.apps.uptime import StateSpanListed, StateSpanResponse, UptimeResponse

__all__ = [
    "SpecRequest",
    "AppliedSpecResponse",
    "FileQuery",
    "SecretsCheck",
    "Validity",
    "UploadSummary",
    "SourceKept",
    "ForgeSummary",
    "ReplicasSummary",
    "LiveSummary",
    "UsageResponse",
    "ReplicaResponse",
    "JobSummary",
    "FiguresResponse",
    "RunSummary",
    "StateSpanResponse",
    "StateSpanListed",
    "UptimeResponse",
    "AppsQuery",
    "AppQuery",
    "AppResponse",
    "AppDetail",
    "LogsQuery",
]
