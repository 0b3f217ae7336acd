"""Which texts are valid names of images, and which fields a spec with `image` may have."""

from __future__ import annotations

import pytest

from norn_tasks.domain.errors import InvalidRequest, SpecInvalid
from norn_tasks.domain.infraspec import parse as parse_spec
from norn_tasks.domain.sources.image_reference import checked, parse

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "text",
    [
        "nginx", "nginx:1.27", f"nginx@{DIGEST}", f"ghcr.io/ada/blog:1.4@{DIGEST}", "127.0.0.1:5000/a/b__c:V1",
        "localhost:5000/x", "registry.example/team/sub/app_1.x-y", "[::1]:5000/x:1",
        "LOCALHOST:5000/x", "GHCR.io/ada/x", "localhost/x", "ada/x:V1",
    ],
)  # fmt: skip
def test_a_name_of_an_image_is_kept_as_it_is(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "Nginx", "-x", "a b", "https://ghcr.io/x", "x:", "x@sha256:12", "x:-1", "../x", "x//y", "user:pw@host/x",
        "0a" * 32, "a/" * 200 + "b", "x:1\n", "x;id", "$(id)",
        "LOCALHOST/x", "Localhost/ada/x:1", "ghcR/x",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not the name of an image"):
        checked(text)


def test_a_ref_of_a_deploy_is_another_tag_or_digest() -> None:
    named = parse("ghcr.io/ada/blog:1.4")
    assert (str(named.at("1.5")), str(named.at(DIGEST))) == ("ghcr.io/ada/blog:1.5", f"ghcr.io/ada/blog@{DIGEST}")
    with pytest.raises(InvalidRequest, match="neither a tag"):
        named.at("other/repository:1")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("build: {dockerfile: Dockerfile}", "build.dockerfile"),
        ("build: {test: make, testStage: dev}", "build.testStage"),
        ("repo: {url: 'https://example.org/x.git'}", "repo.url"),
    ],
)
def test_an_image_is_not_built_too(more: str, field: str) -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse_spec(f"app: x\nrole: worker\nimage: nginx:1\n{more}\n")
    assert [mistake.field for mistake in refused.value.mistakes] == [field]


def test_an_image_may_have_a_test_and_a_page_of_its_repository() -> None:
    spec = parse_spec("app: x\nrole: worker\nimage: nginx:1\nbuild: {test: 'true'}\nrepo: {repoWeb: 'https://x.org'}\n")
    assert (spec.image, spec.build.test) == ("nginx:1", "true")
