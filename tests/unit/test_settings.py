"""The settings: a wrong value is refused with the name of its variable, and no printed form has a password."""

from __future__ import annotations

import pytest

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.settings import Settings, load

BAD = {
    "NORN_JSON_MAX": "5q", "NORN_BUILD_MEMORY": "much", "NORN_PORT": "http", "NORN_LEASE_SECONDS": "soon",
    "NORN_AUTH": "maybe", "NORN_HOST_PATHS": "/srv:/srv/a", "NORN_SMTP_URL": "mail", "NORN_SMTP_FROM": "nobody",
    "NORN_GIT_PRIVATE": "perhaps", "NORN_KEEP_LOGS": "1k", "NORN_WORKERS_CRON": "0", "NORN_FN_HOST": "https://fn.example",
    "NORN_DATABASE_BACKUPS": "gs://bucket/backups",
}  # fmt: skip
URLS = ("database_url", "database_listen_url", "broker_url", "registry_url", "smtp_url", "deadman_url")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_with_the_name_of_its_variable(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        load({name: BAD[name]})
    assert refused.value.sentence.startswith(f"{name}: "), refused.value.sentence
    assert refused.value.hint


def test_an_amount_that_cannot_be_read_is_quoted() -> None:
    with pytest.raises(InvalidRequest) as refused:
        load({"NORN_JSON_MAX": "5q"})
    assert refused.value.sentence == (
        'NORN_JSON_MAX: "5q" is not a size (write a number and a unit, such as 512m or 1g)'
    )


def test_no_password_is_printed() -> None:
    given = {name: f"smtps://norn:hunter2@{name.replace('_', '-')}.example:1" for name in URLS}
    printed = repr(Settings.model_validate({**given, "age_key": "hunter2"}))
    assert "hunter2" not in printed
    assert [name for name in Settings.model_fields if name.endswith("_url") and f"{name}=" in printed] == []
