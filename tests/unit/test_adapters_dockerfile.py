"""What Norn reads in a Dockerfile before it lets a builder have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.adapters.dockerfile import outside_images, read, without_frontend
from norn_tasks.domain.errors import SourceError

PLATFORM = {"TARGETARCH": "amd64"}


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM busybox", {"busybox"}),
        ("from busybox as x\nFROM x", {"busybox"}),
        ("FROM scratch", set()),
        ("FROM --platform=$BUILDPLATFORM busybox:1 AS a\nCOPY --from=a /x /x\nCOPY --from=0 /y /y", {"busybox:1"}),
        ("ARG B=norn/blog\nFROM ${B}:1", {"norn/blog:1"}),
        ("ARG A=1 B='norn/blog'\nFROM $B", {"norn/blog"}),
        ("FROM ${NONE:-norn/blog}", {"norn/blog"}),
        ("ARG B=x\nFROM ${B:+norn/blog}", {"norn/blog"}),
        ("FROM norn/blog-$TARGETARCH", {"norn/blog-amd64"}),
        ("FROM busybox\nCOPY --chown=1 --from=norn/blog /a /a", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN --mount=type=bind,from=norn/blog,target=/x ls", {"busybox", "norn/blog"}),
        ('FROM busybox\nRUN --mount=type=bind,"from=norn/blog" ls', {"busybox", "norn/blog"}),
        ("FROM \\\n# why\n\n  norn/blog", {"norn/blog"}),
        ("FR\\\nOM norn/blog", {"norn/blog"}),
        ("# escape=`\nFROM `\n norn/blog", {"norn/blog"}),
        ("FROM\x0bnorn/blog", {"norn/blog"}),
        ('FROM "norn/bl\\og"', {"norn/blog"}),
        ("FROM busybox\nRUN x \\\\\nCOPY --from=norn/blog /a /a", {"busybox", "norn/blog"}),
        ("FROM busybox\nONBUILD COPY --from=norn/blog /a /a", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN <<EOF python\nfrom . import x\nEOF", {"busybox"}),
    ],
)
def test_the_images_from_outside_are_found(text: str, images: set[str]) -> None:
    assert outside_images(text, "Dockerfile", PLATFORM) == images


@pytest.mark.parametrize("text", ["FROM ${X#y}", "FROM x\nCOPY --from=$X /a /a"])
def test_a_name_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        outside_images(text, "Dockerfile", PLATFORM)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# syntax=docker/dockerfile:1\nFROM x\n", "FROM x\n"),
        ("#syntax = docker.io/docker/dockerfile-upstream:master\r\nFROM x\n", "FROM x\n"),
        ("# escape=`\n# SYNTAX=docker/dockerfile\nFROM x\n", "# escape=`\nFROM x\n"),
        ("FROM x\n# syntax=evil/frontend\n", "FROM x\n# syntax=evil/frontend\n"),
    ],
)
def test_dockers_own_frontend_is_dropped(text: str, left: str) -> None:
    assert without_frontend(text, "Dockerfile") == left


@pytest.mark.parametrize(
    "text",
    [
        "# syntax=evil/frontend\nFROM x\n",
        "# check=skip=all\n# syntax=docker/dockerfiles\nFROM x\n",
        "#!/usr/bin/env x\n# syntax=evil/frontend\nFROM x\n",
        "// syntax=evil/frontend\nFROM x\n",
        '{"syntax": "evil/frontend"}',
    ],
)
def test_any_other_frontend_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="frontend"):
        without_frontend(text, "Dockerfile")


def test_a_missing_dockerfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no docker/Dockerfile\.web in the source"):
        read(tmp_path, "docker/Dockerfile.web")


@pytest.mark.parametrize("name", ["../Dockerfile", "/etc/passwd", "link"])
def test_a_dockerfile_outside_the_source_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="leads out of the source"):
        read(tmp_path, name)


def test_a_link_within_the_source_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("FROM x\n")
    (tmp_path / "Dockerfile").symlink_to("real")
    assert read(tmp_path, "Dockerfile") == "FROM x\n"


def test_a_dockerfile_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="not UTF-8"):
        read(tmp_path, "Dockerfile")
