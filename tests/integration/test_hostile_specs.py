"""Hostile specs at each place that reads specs: no internal error, no row, and every refusal names a place in
the file.
"""

from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from norn_tasks.domain.errors import SpecInvalid
from norn_tasks.domain.infraspec import decode, from_json, parse
from norn_tasks.store.database.session import Database
from tests.corpus.hostile import specs
from tests.integration.api import factories

ALL = specs.all_of_them()
LONGEST = 5.0
"""Seconds that one file may take on a busy machine."""


def wrong_with(content: bytes) -> str:
    """Returns the parser's mistake with a file; empty if the parser refuses the file and gives each reason a place in
    it, or accepts the file and reads the same spec back from its JSON.
    """
    try:
        spec = parse(decode(content))
    except SpecInvalid as error:
        lines = content.count(b"\n") + content.count(b"\r") + 2
        placed = [1 <= each.line <= lines and each.column >= 1 and each.message for each in error.mistakes]
        return "" if placed and all(placed) else f"a mistake without a place: {error.mistakes[:2]}"
    return "" if from_json(spec.to_json()) == spec else "accepted, and another one in its row"


def test_the_library_refuses_each_at_its_place_or_keeps_it_as_it_is() -> None:
    wrong, slow = [], []
    for content in ALL:
        begun = time.monotonic()
        if fault := wrong_with(content):
            wrong.append((content[:120], fault))
        if time.monotonic() - begun > LONGEST:
            slow.append(content[:120])
    assert (wrong, slow) == ([], [])


@pytest.mark.parametrize("kind", ["text/yaml", "application/json"])
def test_the_server_answers_each_without_a_defect_or_a_row(database: Database, kind: str) -> None:
    assert faults(database, kind, ALL[: len(ALL) - len(list(specs.of_fields()))] + ALL[::61]) == []


def faults(database: Database, kind: str, contents: tuple[bytes, ...]) -> list[str]:
    """Sends each file to the server; describes each internal error and each file that the server accepted, and says so
    if there is any row.
    """
    api = factories.api(database)
    found = []
    for content in contents:
        body = (
            {"json": {"infraspec": content.decode("utf-8", "replace")}}
            if kind == "application/json"
            else {"data": content}
        )
        for method, path in (("POST", "/api/validate"), ("POST", "/api/apps/x/validate"), ("PUT", "/api/apps/y")):
            headers = {} if "json" in body else {"Content-Type": kind}
            got = api.ask(method, path, headers=headers, **body)
            if got.status_code >= 500 or (method == "PUT" and got.status_code < 400):
                found.append(f"{method} {path}: {got.status_code} for {content[:120]!r}")
    with database.transaction() as tx:
        rows = tx.scalar(text("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM apps)"))
    return found + ([f"{rows} rows"] if rows else [])
