"""Uploads of source: kept once per tree, refused for apps that cannot use them, deployed by revision."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from norn_tasks.domain.access import Scope
from norn_tasks.store.database.session import Database
from tests import factories as shared
from tests.archives import packed
from tests.integration.api import factories
from tests.integration.api.factories import Api

WORKER = "app: blog\nrole: worker\n"
FILES = {"infraspec.yaml": WORKER.encode(), "Dockerfile": b"FROM busybox:stable\n"}


def upload(api: Api, data: bytes, app: str = "blog", kind: str = "application/gzip") -> TestResponse:
    return api.ask("PUT", f"/api/apps/{app}/source", data=data, headers={"Content-Type": kind})


@pytest.fixture
def blog(api: Api) -> Api:
    """An application with `blog`, which is forged and has no source."""
    with api.database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "worker"))
    return api


def test_an_upload_is_named_by_its_tree(blog: Api) -> None:
    answer = upload(blog, packed(FILES))
    assert (answer.status_code, answer.json["files"], answer.json["size"]) == (201, 2, 43)
    assert answer.json["revision"].startswith("src-")


def test_the_same_tree_again_is_kept_once(blog: Api) -> None:
    first = upload(blog, packed(FILES)).json
    again = upload(blog, packed(dict(reversed(FILES.items()))))
    assert (again.status_code, again.json) == (200, first)


def test_status_tells_of_the_upload(blog: Api) -> None:
    revision = upload(blog, packed(FILES)).json["revision"]
    app = blog.get("/api/apps/blog").json
    told = (app["source"], app["upload"]["revision"], app["upload"]["actor"], app["upload"]["files"])
    assert told == ("upload", revision, "admin", 2)


def test_an_app_without_an_upload_tells_of_none(blog: Api) -> None:
    assert blog.get("/api/apps/blog").json["upload"] is None


def test_a_deploy_takes_the_upload_that_it_names(blog: Api) -> None:
    first = upload(blog, packed(FILES)).json["revision"]
    upload(blog, packed({**FILES, "more": b""}))
    job = blog.post("/api/apps/blog/deploy", json={"source": first}).json["job"]
    args = blog.get(f"/api/jobs/{job}").json["args"]
    assert (args["source"], args["revision"]) == ("upload", first)


def test_a_deploy_that_names_none_takes_the_newest(blog: Api) -> None:
    upload(blog, packed(FILES))
    newest = upload(blog, packed({**FILES, "more": b""})).json["revision"]
    job = blog.post("/api/apps/blog/deploy", json={}).json["job"]
    assert blog.get(f"/api/jobs/{job}").json["args"]["revision"] == newest


def test_a_ref_of_an_upload_is_refused_with_the_way_out(blog: Api) -> None:
    upload(blog, packed(FILES))
    answer = blog.post("/api/apps/blog/deploy", json={"ref": "main"})
    assert (answer.status_code, "without a ref" in answer.json["hint"]) == (422, True)


def test_an_upload_that_is_not_kept_is_not_found(blog: Api) -> None:
    answer = blog.post("/api/apps/blog/deploy", json={"source": "src-0123456789ab"})
    assert (answer.status_code, "uploads it again" in answer.json["hint"]) == (404, True)


def test_an_upload_of_another_app_is_not_found(blog: Api) -> None:
    with blog.database.transaction() as tx:
        shared.add_app(tx, shared.spec("shop", "worker"))
    revision = upload(blog, packed(FILES), "shop").json["revision"]
    assert blog.post("/api/apps/blog/deploy", json={"source": revision}).status_code == 404


def test_an_unknown_app_takes_no_upload(api: Api) -> None:
    assert (answer := upload(api, packed(FILES))).status_code == 404, answer.json


def test_an_app_of_a_repository_takes_no_upload(api: Api) -> None:
    shared.add_live(api.database, "blog", "worker", "repo:\n  url: https://example.com/blog.git\n")
    answer = upload(api, packed(FILES))
    assert (answer.status_code, "example.com/blog.git" in answer.json["detail"]) == (409, True)


def test_a_source_for_an_app_of_a_repository_is_refused(api: Api) -> None:
    shared.add_live(api.database, "blog", "worker", "repo:\n  url: https://example.com/blog.git\n")
    assert api.post("/api/apps/blog/deploy", json={"source": "src-0123456789ab"}).status_code == 422


def test_what_is_no_archive_is_refused(blog: Api) -> None:
    answer = upload(blog, b"hello")
    assert (answer.status_code, answer.json["code"], bool(answer.json["hint"])) == (422, "invalid_request", True)


def test_a_path_out_of_the_tree_is_refused_and_nothing_is_kept(blog: Api) -> None:
    answer = upload(blog, packed({"../evil": b""}))
    assert (answer.status_code, "../evil" in answer.json["detail"]) == (422, True)
    assert blog.get("/api/apps/blog").json["source"] == "none"


def test_another_content_type_is_refused(blog: Api) -> None:
    assert upload(blog, packed(FILES), kind="application/zip").status_code == 415


@pytest.fixture
def small(database: Database) -> Api:
    """An application that accepts sources of at most 4 KiB, with `blog`, which is forged and has no source."""
    api = factories.api(database, source_max=4096)
    with database.transaction() as tx:
        shared.add_app(tx, shared.spec("blog", "worker"))
    return api


@pytest.mark.parametrize("content", [bytes(5000), bytes(range(256)) * 40], ids=["zeros", "as large packed"])
def test_a_source_over_the_limit_is_refused_with_the_setting(small: Api, content: bytes) -> None:
    answer = upload(small, packed({"a": content}))
    assert (answer.status_code, "NORN_SOURCE_MAX" in answer.json["hint"]) == (413, True)


def test_version_tells_the_limit(small: Api) -> None:
    assert small.get("/api/version").json["source_max"] == 4096


def test_a_reader_uploads_nothing(blog: Api) -> None:
    assert upload(blog.asked_as(Scope.READ), packed(FILES)).status_code == 403


def test_an_upload_is_audited(blog: Api) -> None:
    upload(blog, packed(FILES))
    (deed,) = blog.get("/api/audit?app=blog").json["items"]
    assert (deed["method"], deed["path"], deed["status"]) == ("PUT", "/api/apps/blog/source", 201)


def test_a_forgotten_app_leaves_no_source(blog: Api) -> None:
    blog.put_spec("shop", "app: shop\nrole: worker\n")
    upload(blog, packed(FILES), "shop")
    blog.ask("DELETE", "/api/apps/shop")
    blog.put_spec("shop", "app: shop\nrole: worker\n")
    assert blog.get("/api/apps/shop").json["source"] == "none"


def test_an_app_keeps_few_sources_that_nothing_needs(blog: Api) -> None:
    trees = [packed({**FILES, "n": str(n).encode()}) for n in range(21)]
    assert [upload(blog, tree).status_code for tree in trees] == [201] * 20 + [429]
    assert upload(blog, trees[0]).status_code == 200
