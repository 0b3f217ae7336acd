"""Limits of the data that Norn keeps: its age, its size, and the disk space that must stay free."""

from __future__ import annotations

from pydantic import Field

from norn_tasks.domain.setting_values import Memory
from norn_tasks.settings.group import Days, Seconds, SettingsGroup


class RetentionSettings(SettingsGroup):
    """The settings of free disk space and of retention."""

    # Free disk space
    disk_build_free: Memory = Field(
        2 * 1024**3, description="free bytes below which nothing is built, and a build in progress is ended"
    )
    disk_build_percent: float = Field(10, ge=0, le=100, description="free percent below which nothing is built")
    disk_accept_free: Memory = Field(500 * 1024**2, description="free bytes below which nothing new is accepted")

    # Retention
    keep_days: Days = Field(14, description="days that jobs, their events and calls are kept")
    keep_per_app: int = Field(100_000, ge=1, description="newest jobs and calls of an app that are kept at most")
    keep_bodies: Memory = Field(128 * 1024**2, description="recorded requests and answers of an app at most, bytes")
    keep_logs: Memory = Field(
        64 * 1024**2, ge=16 * 1024**2, description="kept log lines of an app's replicas at most, bytes; 16MiB or more"
    )
    keep_logs_days: Days = Field(14, description="days that log lines of replicas are kept")
    keep_runs_days: Days = Field(90, description="days that occurrences of schedules and cron runs are kept")
    keep_runs_per_app: int = Field(1000, ge=1, description="newest occurrences and cron runs of an app kept at most")
    keep_failed_days: Days = Field(30, description="days that the output of failed jobs is kept")
    keep_audit_days: Days = Field(365, description="days that the audit is kept")
    result_ttl: Seconds = Field(3600, description="how long an asynchronous call's answer can be fetched")
