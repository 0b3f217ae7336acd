"""The cases for which schedules are compared with the oracle (`cron_oracle`, a second implementation of schedules):
twelve expressions in forty time zones, around both changes of the clocks.
"""

from __future__ import annotations

from datetime import UTC, datetime

ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Athens", "Europe/Dublin", "Europe/Chisinau",
    "Europe/Kyiv", "Atlantic/Azores", "Atlantic/Madeira", "America/New_York", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Anchorage", "America/Adak", "America/Halifax",
    "America/St_Johns", "America/Havana", "America/Santiago", "Pacific/Easter", "America/Nuuk",
    "America/Scoresbysund", "America/Miquelon", "America/Port-au-Prince", "America/Tijuana",
    "America/Indiana/Indianapolis", "Atlantic/Bermuda", "Antarctica/Troll", "Australia/Sydney",
    "Australia/Adelaide", "Australia/Hobart", "Australia/Lord_Howe", "Antarctica/Macquarie",
    "Pacific/Auckland", "Pacific/Chatham", "Pacific/Norfolk", "Africa/Cairo", "Africa/Casablanca",
    "Asia/Beirut", "Asia/Jerusalem",
)  # fmt: skip

EXPRESSIONS = (
    "10,40 2 * * *", "*/15 2 * * *", "30 0 * * *", "*/20 0-3 * * *", "45 1 * * *", "5 1-3 * * *", "0 */2 * * *",
    "30 * * * *", "*/7 * * * *", "0-59 2 * * *", "0 0,23 * * *", "15 3 * * SUN",
)  # fmt: skip

YEAR = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
TWO_YEARS = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
