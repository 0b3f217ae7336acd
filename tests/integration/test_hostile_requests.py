"""Hostile requests to every route, and hostile archives: none causes an internal error, and none writes outside of its
directory.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from norn_tasks.adapters.sources.uploads import UnpackedUploads
from norn_tasks.domain.errors import NornError
from norn_tasks.domain.sources import archive
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.corpus.hostile import archives, requests
from tests.fakes.stop import FakeWatch
from tests.integration.api import factories

MIB = 2**20
EACH_NTH = 5
ACCEPTABLE = 503
"""This status is no defect: the test has no worker and no broker, so some requests must get it."""


def test_no_request_meets_a_defect(database: Database) -> None:
    assert defects(database, EACH_NTH) == []


def defects(database: Database, nth: int) -> list[str]:
    """Sends every n-th hostile request; describes each response with a status of 500 or more, except 503."""
    shared.add_live(database, "blog")
    api = factories.api(database)
    rules = sorted((method, rule.rule) for rule in api.app.url_map.iter_rules() for method in rule.methods or ())
    found = []
    for method, path, kind, body, headers in list(requests.all_of_them(rules))[::nth]:
        got = api.ask(method, path, data=body, content_type=kind or None, headers=headers)
        if got.status_code >= 500 and got.status_code != ACCEPTABLE:
            found.append(f"{got.status_code} {method} {path[:120]} {kind} {body[:60]!r} {headers}")
    return found


class Pieces:
    """Uploads of one archive."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def pieces(self, app: str, revision: str) -> Iterator[bytes]:
        """The archive in one piece."""
        return iter((self._content,))


def test_no_archive_writes_outside_of_its_directory(database: Database, tmp_path: Path) -> None:
    """Each archive is unpacked as a deploy unpacks it, next to files that must stay."""
    (tmp_path / "x").write_text("mine")
    (tmp_path / "in").mkdir()
    for name, content in archives.of_entries():
        into = tmp_path / "in" / "source"
        try:
            UnpackedUploads(Pieces(content), most=MIB).checkout("blog", "a", into, FakeWatch().watch)
        except NornError as refused:
            assert refused.sentence, name
        assert {each.name for each in tmp_path.iterdir()} == {"x", "in"}, name
        assert [each.name for each in (tmp_path / "in").iterdir()] == ["source"], name
        assert (tmp_path / "x").read_text() == "mine", name


def test_no_archive_meets_a_defect_of_the_server(database: Database) -> None:
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "worker"))
    api = factories.api(database)
    for name, content in list(archives.of_entries())[:: EACH_NTH * 2]:
        got = api.ask("PUT", "/api/apps/blog/source", data=content, content_type="application/gzip")
        assert got.status_code < 500, name


def test_a_damaged_archive_is_never_taken_as_a_shorter_tree() -> None:
    for plain in archives.damaged():
        try:
            tree = archive.read(io.BytesIO(gzip.compress(plain, 1)), MIB, archive.DiscardingConsumer())
        except NornError:
            continue
        assert tree.files == 2
