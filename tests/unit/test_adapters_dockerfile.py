"""The checks of a Dockerfile before it is given to a builder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from norn_tasks.adapters.dockerfile import (
    Recipe,
    is_name_of,
    is_reference,
    may_be_an_id,
    outside_images,
    read,
    recipe,
    require_public,
    with_stage_labels,
)
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
        ("FROM norn/blog-$TARGETARCH", {"norn/blog-amd64", "norn/blog-"}),
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
        # Flags are read as the builders read them: quotes and backslashes are removed, and a blank that they protect is
        # part of the flag.
        ("FROM busybox\nCOPY --fr\\om=norn/blog:1 / /x", {"busybox", "norn/blog:1"}),
        ("FROM busybox\nCOPY --from=norn/'bl'og / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN --mount=type=bind,f''rom=norn/blog:1,target=/x ls", {"busybox", "norn/blog:1"}),
        ("FROM busybox\nRUN --mount=type=bind,target=/a\\ b,from=norn/blog ls", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN --mount='target=/a b,from=norn/blog' ls", {"busybox", "norn/blog"}),
        ("FROM busybox\nCOPY --from norn/blog:1 / /x", {"busybox", "norn/blog:1"}),
        ("FROM busybox\nRUN --mount type=bind,from=norn/blog,target=/x ls", {"busybox", "norn/blog"}),
        ("FROM --platform linux/amd64 norn/blog:1", {"linux/amd64", "norn/blog:1"}),
        ("FROM -- norn/blog:1", {"norn/blog:1"}),
        ("FROM busybox\nONBUILD -- COPY --from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nONBU\u0130LD COPY --from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nCOPY --chown=\u00e0--from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN pip install --from=norn/blog", {"busybox"}),
        # Lines that continue in the next line, for all builders or for some.
        ("FROM busybox\nCO\\\nPY --from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nCOPY \\\n \u00a0\n# no\n--from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN x \\\\\nCOPY \\\n --from=norn/blog / /x", {"busybox", "norn/blog"}),
        ("FROM busybox\nRUN <<'E\\'\nE\\\nCO\\\nPY --from=norn/blog / /x", {"busybox", "norn/blog"}),
        # Lines that look like a stage and are none.
        ("FROM busybox\nRUN : \\\nFROM x AS abc1\nCOPY --from=abc1 / /x", {"busybox", "x", "abc1"}),
        (
            "FROM busybox\nRUN <<E\nFROM x AS norn/blog:1\nE\nCOPY --from=norn/blog:1 / /x",
            {"busybox", "x", "norn/blog:1"},
        ),
        ("FROM busybox\nCOPY --from=12345678901234567890 / /x", {"busybox", "12345678901234567890"}),
        # Variables that are set or used in unusual ways.
        ("ARG B=norn/blog\nARG A=x\\ B=busybox\nFROM $B", {"norn/blog"}),
        ("ARG B=norn/blog\nARG A=x' B=busybox'\nFROM $B", {"norn/blog"}),
        ("ARG B=norn/blog\nARG A=\u00e0B=busybox\nFROM $B", {"norn/blog"}),
        ("ARG A=1 \\\nFROM busybox\nARG B=norn/blog\nFROM norn/x${A}", {"busybox", "norn/x1"}),
        ("FROM $1norn/blog", {"norn/blog"}),
        ("ARG B=norn/blog\nARG B\nFROM ${B:-busybox}", {"norn/blog", "busybox"}),
        ("FROM ${TARGETARCH:-norn/blog}", {"amd64", "norn/blog"}),
        ("FROM ${TARGETSTAGE:+norn/blog}", {"norn/blog"}),
    ],
)
def test_the_images_from_outside_are_found(text: str, images: set[str]) -> None:
    assert outside_images(text, "Dockerfile", PLATFORM) == images


@pytest.mark.parametrize(
    "text",
    [
        "FROM ${X#y}",
        "FROM x\nCOPY --from=$X /a /a",
        "FROM $@norn/blog",
        'ARG "B"=norn/blog\nFROM $B',
        'ARG A=""""\nFROM ${A:-norn/blog}',
        "ARG A=1\nARG A=2 B=$A\nFROM $B",
        "ARG X='\\\nARG B=busybox C='\nFROM $B",
        "ARG X=a\\\\\nFROM busybox\nARG B=busybox\nFROM $B",
    ],
)
def test_a_name_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        outside_images(text, "Dockerfile", PLATFORM)


def test_a_file_made_to_be_read_for_ever_is_refused() -> None:
    with pytest.raises(SourceError, match="take too long"):
        outside_images("RUN --x=' \\\n" * 2000, "Dockerfile", PLATFORM)


def test_values_that_double_do_not_fill_the_memory() -> None:
    with pytest.raises(SourceError, match="cannot read"):
        outside_images("ARG A=xx\n" + "ARG A=$A$A\n" * 64 + "FROM $A", "Dockerfile", PLATFORM)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("FROM x\n", "# escape=\\\n#\n"),
        ("# syntax=docker/dockerfile:1\nFROM x\n", "# escape=\\\n#\n"),
        ("#syntax = docker.io/docker/dockerfile-upstream:master\r\nFROM x\n", "# escape=\\\n#\n"),
        ("# escape=`\n# SYNTAX=docker/dockerfile\nFROM x\n", "# escape=`\n#\n"),
        ("# check=skip=all\n# escape=`\nFROM x\n", "# escape=`\n# check=skip=all\n#\n"),
        ("# why\n# escape=`\n# syntax=evil/frontend\nFROM x\n", "# escape=\\\n#\n"),
        ("FROM x\n# syntax=evil/frontend\n", "# escape=\\\n#\n"),
    ],
)
def test_a_head_of_ours_stands_before_the_file(text: str, head: str) -> None:
    made = recipe(text, "Dockerfile")
    assert (made.text, made.head) == (head + text, head.count("\n"))


FOREIGN = [
    "# syntax=evil/frontend\nFROM x\n",
    "# check=skip=all\n# syntax=docker/dockerfiles\nFROM x\n",
    "#!/usr/bin/env x\n# syntax=evil/frontend\nFROM x\n",
    "// syntax=evil/frontend\nFROM x\n",
    "//check=skip=all\n//syntax=evil/frontend\nFROM x\n",
    '{"syntax": "evil/frontend"}',
    '\n{"syntax":"evil/frontend"}',
]
ONLY_LOOKING_FOREIGN = ["\ufeff# syntax=evil/frontend\nFROM x\n", "#!a\n#!b\n# syntax=evil/frontend\nFROM x\n"]


@pytest.mark.parametrize("text", FOREIGN)
def test_any_other_frontend_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="frontend"):
        recipe(text, "Dockerfile")


def test_an_escape_that_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="escape"):
        recipe("# escape=x\nFROM x\n", "Dockerfile")


def detected(text: str) -> str | None:
    """Returns the frontend that BuildKit's DetectSyntax would find; its rules are implemented here a second time."""
    data = text.encode().removeprefix(b"\xef\xbb\xbf")
    if data.startswith(b"#!"):
        data = data.partition(b"\n")[2]
    for mark in (b"#", b"//"):
        for line in data.split(b"\n"):
            found = re.fullmatch(rb"\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*", line.removeprefix(mark))
            if not line.startswith(mark) or found is None or found[1].lower() not in (b"syntax", b"escape", b"check"):
                break
            if found[1].lower() == b"syntax":
                return found[2].decode()
    try:
        return str(json.loads(data)["syntax"])
    except (ValueError, LookupError, TypeError):
        return None


@pytest.mark.parametrize("text", FOREIGN)
def test_the_rules_written_down_here_find_a_frontend(text: str) -> None:
    assert detected(text) is not None


@pytest.mark.parametrize("text", [*ONLY_LOOKING_FOREIGN, "# syntax=docker/dockerfile:1\nFROM x\n"])
def test_no_frontend_is_found_in_what_is_built(text: str) -> None:
    assert detected(recipe(text, "Dockerfile").text) is None


@pytest.mark.parametrize(
    "line",
    [
        "ADD http://127.0.0.1:8800/api /x",
        "ADD http://169.254.169.254/latest/meta-data /x",
        "ADD --checksum=sha256:1 https://user@10.0.0.1/x /x",
        "add ht\\tp://12'7.0.0.1'/ /x",
        'ADD ["a", "http://[::1]/", "/x"]',
        'ADD ["\\u0068ttp://localhost/", "/x"]',
        "ONBUILD ADD http://0x7f.1/ /x",
        "ADD git@10.0.0.1:x.git /x",
        "ADD git://localhost/x.git /x",
        "ADD a \\\n  http://localhost./ /x",
    ],
)
def test_adding_from_an_address_that_is_not_public_is_refused(line: str) -> None:
    with pytest.raises(SourceError, match="not an address of the public internet"):
        require_public(f"FROM x\n{line}\n", "Dockerfile")


@pytest.mark.parametrize(
    "line",
    ["ADD https://example.com/x.tgz /x", "ADD . /x", "ADD localhost /x", "RUN wget http://127.0.0.1/", "ADD x $X",
     "ADD https://example.com/v${V}/x.tgz /x", "ADD git@github.com:a/b.git#v1 /x", 'ADD ["a b", "/x"]'],
)  # fmt: skip
def test_adding_anything_else_is_fine(line: str) -> None:
    require_public(f"FROM x\n{line}\n", "Dockerfile")


@pytest.mark.parametrize(
    "line",
    [
        "ADD http://$H:8800/x /x",
        "ADD http://${H}/x /x",
        "ADD $S://127.0.0.1/x /x",
        "ADD ht$S://127.0.0.1/x /x",
        "ADD http:/$REST /x",
        "ADD https://127.0.0.$N/x /x",
        "ADD https://$USER@example.com/x /x",
        "ADD https://example.com$REST /x",
        "ADD git@$H:a/b.git /x",
        "ADD $X /x",
        "ADD a $X/b /x/",
        'ADD ["${X}", "/x"]',
        "ADD --link $X /x",
        "ONBUILD ADD ${X:-a} /x",
    ],
)
def test_adding_from_an_address_with_a_variable_in_its_host_is_refused(line: str) -> None:
    with pytest.raises(SourceError, match="a variable may be the address"):
        require_public(f"FROM x\n{line}\n", "Dockerfile")


@pytest.mark.parametrize(
    "line",
    ["ADD build/lib-$V.tgz /x", "ADD app-$V.tgz /x", "ADD . $HOME/", "ADD --chown=$U a /x", "COPY $X /x",
     "ADD git@github.com:a/$B.git#v1 /x", "ADD https://example.com?v=$V /x"],
)  # fmt: skip
def test_a_variable_in_a_path_is_fine(line: str) -> None:
    require_public(f"FROM x\n{line}\n", "Dockerfile")


# Names of images


@pytest.mark.parametrize(
    "text", ["busybox", "norn/blog:1", "localhost:5000/a/b__c:V1.2", f"a.example/x@sha256:{'0' * 64}", "[::1]:5000/x"]
)
def test_the_name_of_an_image_is_one(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize(
    "text", ["../containers", "../containers/one", "busybox..x", "a//b", "", "x:", "Busybox", "x@y"]
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize("text", ["d8ca", "0", "sha256:d", "f" * 64, f"sha256:{'0' * 64}"])
def test_hexadecimal_digits_may_be_an_id(text: str) -> None:
    assert may_be_an_id(text)


@pytest.mark.parametrize("text", ["busybox", "d8ca:1", "library/d8ca", "D8CA", "f" * 65, "sha512:d8ca"])
def test_a_name_is_no_id(text: str) -> None:
    assert not may_be_an_id(text)


SHOWN = {"RepoTags": ["busybox:latest", "a.example/x:1"], "RepoDigests": [f"busybox@sha256:{'1' * 64}"]}


@pytest.mark.parametrize(
    "name",
    ["busybox", "library/busybox:latest", "docker.io/busybox", "index.docker.io/library/busybox", "a.example/x:1",
     f"busybox:9@sha256:{'1' * 64}"],
)  # fmt: skip
def test_an_image_has_the_names_that_the_engine_shows(name: str) -> None:
    assert is_name_of(name, SHOWN)


@pytest.mark.parametrize("name", ["d8ca", "busybox:1", "x:1", f"busybox@sha256:{'2' * 64}", "../containers"])
def test_an_image_has_no_other_name(name: str) -> None:
    assert not is_name_of(name, SHOWN)


# Stages


def test_every_stage_gets_the_label() -> None:
    text = "# escape=\\\n#\nFROM x AS a\nRUN : \\\nFROM y\nfrom \\\n# why\n  a\nUSER 1"
    marked = "# escape=\\\n#\nFROM x AS a\nLABEL s=b\nRUN : \\\nFROM y\nfrom \\\n# why\n  a\nLABEL s=b\nUSER 1"
    assert with_stage_labels(Recipe(text, 2), "Dockerfile", "s=b") == Recipe(marked, 2, (4, 10))


def test_a_missing_dockerfile_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no docker/Dockerfile\.web in the source"):
        read(tmp_path, "docker/Dockerfile.web")


@pytest.mark.parametrize("name", ["../Dockerfile", "/etc/passwd", "link"])
def test_a_dockerfile_outside_the_source_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="points outside the source"):
        read(tmp_path, name)


def test_a_link_within_the_source_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("FROM x\n")
    (tmp_path / "Dockerfile").symlink_to("real")
    assert read(tmp_path, "Dockerfile") == "FROM x\n"


def test_a_dockerfile_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="not UTF-8"):
        read(tmp_path, "Dockerfile")
