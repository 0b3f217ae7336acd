"""Dockerfiles that try to read images or files of others, in the syntax variants of two builders."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Spelling = Callable[[str], str]

TAKING = (
    "FROM {}",
    "from {} as y",
    "FROM --platform=$BUILDPLATFORM {}",
    "ARG B={}\nFROM $B",
    "ARG B\nFROM ${{B:-{}}}",
    "FROM busybox\nCOPY --from={} / /x",
    "FROM busybox\nCOPY --chown=1 --from={} / /x",
    "FROM busybox\nONBUILD COPY --from={} / /x",
    "FROM busybox\nRUN --mount=type=bind,from={},target=/m true",
    "FROM busybox\nRUN --mount=from={},target=/m true",
    "FROM busybox AS a\nFROM a\nCOPY --from={} / /x",
    "FROM busybox\nRUN <<E\ntrue\nE\nCOPY --from={} / /x",
    "FROM busybox\nRUN true \\\n && true\nCOPY --from={} / /x",
)
ADDING = (
    "FROM busybox\nADD {} /x",
    "FROM busybox\nADD --chown=1 {} /x",
    "FROM busybox\nONBUILD ADD {} /x",
    'FROM busybox\nADD ["{}", "/x"]',
    "FROM busybox\nADD README {} /x/",
)
INWARD = (
    "http://127.0.0.1:8800/x",
    "http://localhost/x",
    "http://LOCALHOST./x",
    "http://0/x",
    "http://127.1/x",
    "http://0x7f.1/x",
    "http://2130706433/x",
    "http://017700000001/x",
    "http://[::1]/x",
    "http://[::ffff:127.0.0.1]/x",
    "http://10.0.0.1/x",
    "http://172.17.0.1/x",
    "http://192.168.1.1/x",
    "http://169.254.169.254/x",
    "http://168.63.129.16/x",
    "https://user@127.0.0.1/x",
    "http://[64:ff9b::7f00:1]/x",
    "http://[fd00:ec2::254]/x",
    "git://localhost/x.git",
    "git@127.0.0.1:x.git",
    "http://metadata.localhost/x",
    "http://$H/x",
    "$X",
    "http:$X",
    "${X:-http://127.0.0.1/x}",
)
SPELLINGS: dict[str, Spelling] = {
    "as it is": lambda text: text,
    "small letters": lambda text: text.replace("FROM", "from").replace("COPY", "copy").replace("ADD", "aDd"),
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "indented": lambda text: "".join(f" \t{line}\n" for line in text.split("\n")),
    "continued": lambda text: (
        text.replace("COPY ", "COPY \\\n  ").replace("ADD ", "ADD \\\n# no\n ").replace("FROM ", "FROM \\\n")
    ),
    "inside a word": lambda text: (
        text.replace("COPY", "CO\\\nPY").replace("FROM", "FR\\\nOM").replace("ADD", "A\\\nDD")
    ),
    "behind a comment": lambda text: f"# comment\n#\n\n{text}",
    "another escape": lambda text: f"# escape=`\n{text.replace(chr(92), '`')}",
    "tabs": lambda text: text.replace(" ", "\t"),
}


def of(forms: tuple[str, ...], things: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yields a thing to steal and a Dockerfile that tries to steal it: for each instruction, thing and spelling."""
    for form in forms:
        for thing in things:
            for spell in SPELLINGS.values():
                yield thing, spell(form.format(thing))
