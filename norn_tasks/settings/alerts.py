"""The scheduler, alerts, and the notifications that report alerts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from norn_tasks.domain.setting_values import Memory, mail_address, mail_server_url
from norn_tasks.settings.group import Days, Seconds, SettingsGroup


class AlertSettings(SettingsGroup):
    """The settings of the scheduler, alerts and notifications."""

    # The scheduler
    beat_tick_max: int = Field(1000, ge=1, description="occurrences decided in one transaction")

    # Alerts and notifications
    alert_paused_days: Days = Field(7, description="days that a schedule may be paused before an alert is raised")
    alert_written: Memory = Field(
        5 * 1024**3, description="bytes that a replica may write outside of its volumes before an alert is raised"
    )
    notify_attempts: int = Field(8, ge=1, description="tries to deliver a notification before it is given up")
    notify_backoff: Seconds = Field(10, description="pause after the first try of a notification; doubles, 1 h at most")
    outgoing_private: bool = Field(
        False, description="notifications may go to private addresses, and there without TLS"
    )
    server_name: str = Field("", description="name of this server in notifications; empty: the machine's name")
    smtp_url: Annotated[str, AfterValidator(mail_server_url)] = Field(
        "",
        repr=False,
        description="mail server for notifications: smtps://user:password@host:465, or smtp:// (STARTTLS)",
    )
    smtp_from: Annotated[str, AfterValidator(mail_address)] = Field("", description="address that mail is from")
    deadman_url: str = Field("", repr=False, description="https address to call while no schedule is late; empty: none")
    deadman_period: Seconds = Field(60, description="between two calls of that address")
