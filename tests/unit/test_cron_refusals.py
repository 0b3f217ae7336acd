"""Schedules in the syntax of other programs: the error and the hint that lead users to Norn's syntax."""

from __future__ import annotations

import pytest

from norn_tasks.domain.cron.expression import parse_schedule
from norn_tasks.domain.cron.hints import EXAMPLE
from norn_tasks.domain.errors import InvalidRequest

LAST_DAY = "for the last day write 28-31 as the days of the month, and let the command test the date"
SECOND = "write 8-14 as the days of the month, and let the command test the date"
REBOOT = (
    "nothing starts a cron app at boot: what must always run is a worker (role: worker); for regular runs write "
    "@every 90s, @hourly, @daily or five fields"
)
COUNT = "choose a number; jitter: 15m spreads apps that are due at the same moment"
ZONE = "write timezone: Europe/Berlin in the infraspec, or --timezone Europe/Berlin"
DAYS = "it may be 0 to 7 (sun to sat)"

TYPED = [
    ("@minutely", "is none of", "write * * * * * or @every 1m"),
    ("@weekdays", "is none of", "write 0 0 * * 1-5"),
    ("@dayly", "is none of", "did you mean @daily?"),
    ("@reboot", "is none of", REBOOT),
    ("@every", "@every needs a duration", "write one such as @every 90s"),
    ("@every 90", "@every 90 has no unit", "write one such as @every 90s"),
    ("0 */24 * * *", 'hour "*/24" is not good: a step may be 1 to 23', "every 24 hours is 0 0 * * *"),
    ("0 */36 * * *", 'hour "*/36" is not good: a step may be 1 to 23', "for longer periods write @every 36h"),
    ("*/60 * * * *", 'minute "*/60" is not good: a step may be 1 to 59', "every 60 minutes is 0 * * * *"),
    ("*/90 * * * *", 'minute "*/90" is not good: a step may be 1 to 59', "for longer periods write @every 90m"),
    ("*/0 * * * *", "a step cannot be 0", "for every value write *, as in * * * * *"),
    ("TZ=Europe/Berlin 0 9 * * *", "the zone is a field of its own", ZONE),
    ("CRON_TZ=Europe/Berlin 0 9 * * *", "the zone is a field of its own", ZONE),
    (
        "*/5 * * * * /bin/true",
        "the command is a field of its own",
        "write command: in the infraspec, and only the five fields here",
    ),
    ("0 0 9 * * *", "it has six fields, and seconds are not one of the five", EXAMPLE),
    ("0 9 * * fri-mon", "a range goes from a lower to a higher value, within 0 to 7", "write fri-sat,sun-mon"),
    ("0 9 * * FRI-SUN", "a range goes from a lower to a higher value, within 0 to 7", "write FRI-7: Sunday is 0 or 7"),
    ("0 9 * * mon-sun", "a range goes from a lower to a higher value, within 0 to 7", "write mon-7: Sunday is 0 or 7"),
    ("0 22-6 * * *", "a range goes from a lower to a higher value, within 0 to 23", "write 22-23,0-6"),
    ("0 9 * 11-1 *", "a range goes from a lower to a higher value, within 1 to 12", "write 11-12,1"),
    ("0 9 * * monday", f'day of the week "monday" is not good: {DAYS}', "did you mean MON?"),
    ("0 9 * * friday", f'day of the week "friday" is not good: {DAYS}', "did you mean FRI?"),
    ("0 9 * sept *", 'month "sept" is not good: it may be 1 to 12 (jan to dec)', "did you mean SEP?"),
    ("0 9 L * *", 'day of the month "L" is not good: L is not known here', LAST_DAY),
    ("0 9 LW * *", 'day of the month "LW" is not good: L is not known here', LAST_DAY),
    (
        "0 9 15W * *",
        "W is not known here",
        "write the days that it may be, such as 13-17, and let the command test the date",
    ),
    ("0 9 * * 5#2", 'day of the week "5#2" is not good: # is not known here', SECOND),
    ("H 9 * * *", 'minute "H" is not good: H is not known here', COUNT),
    ("H/5 * * * *", 'minute "H/5" is not good: H is not known here', COUNT),
    ("0 9 ? * 1", 'day of the month "?" is not good: ? is not known here', "write * for any"),
]
ABBREVIATION = "an abbreviation is no place: write Europe/Berlin, or another place with that time"
OFFSET = "an offset does not follow clock changes: write a place such as Europe/Berlin"
ZONES = [
    ("CEST", ABBREVIATION),
    ("GMT+2", OFFSET),
    ("+02:00", OFFSET),
    ("Berlin", "did you mean Europe/Berlin?"),
    ("New York", "did you mean America/New_York?"),
    ("europe/berlin", "did you mean Europe/Berlin?"),
    ("Europe/Brelin", "did you mean Europe/Berlin?"),
    ("XYZ", "write a name such as Europe/Berlin, or UTC"),
]


@pytest.mark.parametrize(("typed", "sentence", "hint"), TYPED, ids=[typed for typed, _, _ in TYPED])
def test_a_refusal_leads_to_what_was_meant(typed: str, sentence: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_schedule(typed)
    assert sentence in refused.value.sentence and refused.value.hint == hint


@pytest.mark.parametrize(("typed", "hint"), ZONES, ids=[typed for typed, _ in ZONES])
def test_a_zone_is_not_guessed_from_an_abbreviation(typed: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_schedule("@daily", typed)
    assert refused.value.hint == hint
