"""Jobs: how long they may wait, how long a worker keeps a claim, and how many run at the same time."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from norn_tasks.settings.group import Seconds, SettingsGroup


class JobSettings(SettingsGroup):
    """The settings of the ledger and of the workers."""

    # The ledger
    lease_seconds: Seconds = Field(30, description="a claim is kept this long after its last heartbeat")
    heartbeat_seconds: Seconds = Field(10, description="between two heartbeats of a running job")
    self_stop_seconds: Seconds = Field(20, description="a job whose heartbeat fails this long stops itself")
    max_claims: int = Field(5, ge=1, description="workers that may take one job before it is dead")
    async_patience: Seconds = Field(900, description="how long an asynchronous call may wait to begin")
    job_patience: Seconds = Field(86400, description="how long any other job may wait to begin")
    engine_patience: Seconds = Field(60, description="how long a job waits for an engine that does not answer")

    # Workers: how many jobs of a class one worker process runs at once
    workers_invoke: int = Field(32, ge=1, description="function calls at once per invoke worker")
    workers_cron: int = Field(16, ge=1, description="cron runs at once per cron worker")
    workers_deploy: int = Field(
        4, ge=1, description="changes of apps at once per deploy worker; half of them may be deploys"
    )
    workers_observe: int = Field(8, ge=1, description="looks at engine and cluster at once per observe worker")

    embedded_processes: Literal["shared", "separate"] = Field(
        "shared", description="norn up: one process for all classes and beat, or a process for each"
    )

    def slots(self, job_class: str) -> int:
        """Returns the number of jobs of a class that one worker process runs at the same time."""
        return int(getattr(self, f"workers_{job_class}"))
