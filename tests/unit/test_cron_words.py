"""The description of a schedule in words."""

from __future__ import annotations

import pytest

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.cron.words import words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 9 * * *", "at 09:00 every day"),
        ("@daily", "at 00:00 every day"),
        ("@monthly", "at 00:00 on day 1 of the month"),
        ("30 8,17 * * mon-fri", "at 08:30 and 17:30 on Monday to Friday"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/7 * * * *", "every 7 minutes from the start of each hour"),
        ("*/15 9-17 * * 1-5", "every 15 minutes of hours 9 to 17 on Monday to Friday"),
        ("@hourly", "at minute 0 of every hour"),
        ("0 */6 * * *", "at minute 0 of every 6th hour"),
        ("0 */5 * * *", "at minute 0 of every 5th hour from midnight"),
        ("0-10,30 * * * *", "at minutes 0 to 10 and 30 of every hour"),
        ("10-50/20 3 * * *", "at every 20th minute from 10 to 50 of hour 3"),
        ("0 0 1,15 * 1", "at 00:00 on days 1 and 15 of the month or on Monday"),
        ("0 0 */2 * 7", "at 00:00 on every 2nd day of the month if it is Sunday"),
        ("0 12 * 1,12 *", "at 12:00 in January and December"),
        ("0 0 1 */3 *", "at 00:00 on day 1 of the month in every 3rd month"),
        ("@every 90s", "every 90 seconds"),
        ("@every 2h", "every 2 hours"),
        ("@every 1d", "every day"),
    ],
)
def test_a_schedule_in_words(text: str, said: str) -> None:
    assert words(parse_schedule(text)) == said
