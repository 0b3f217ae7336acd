"""Hostile infraspecs: each field with each of some hundred values, and broken files."""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.domain.infraspec import field_paths

VALUES = (
    # values of another type
    "~", "[]", "{}", "[[]]", "{a: b}", "[~]", "[1, [2]]", "true", "-1", "0", "1.5", "1e999", ".nan", "-.inf", "0o17",
    "0x7fffffffffffffff", "99999999999999999999999", "2026-11-30", "12:30:45", "!!binary aGk=", "!!set {a, b}",
    # special syntax of YAML
    "!!python/object/apply:os.system [id]", "!!python/name:os.system", "!x y", "&a x", "*a", "{<<: {a: b}}",
    "{? [a] : b}", "|\n  a\n  b", '"unclosed', "[unclosed", "@x", "`id`", "%x",
    # texts
    '""', '" "', r'"\0"', r'"\x1b]0;x\x07"', r'"a\nb"', r'"a\r\nX: y"', r'"\u202egnp.exe"', r'"\ud800"', r'"\uffff"',
    '"ａｐｐ"', '"é"', '"e\u0301"', '"😀"', '"' + "a" * 300 + '"', '"' + "a" * 20_000 + '"', '"' + "9" * 5_000 + '"',
    # paths, commands, addresses
    '"../../etc/passwd"', "/etc/passwd", '"a/../../b"', '"~/.ssh"', r'"C:\\x"', '"/dev/sda"', '"/proc/1/root"',
    '"$(id)"', '"${HOME}"', '"; rm -rf /"', '"--upload-pack=touch x"', '"-oProxyCommand=x"', '"ext::sh -c id"',
    '"file:///etc"', '"https://127.0.0.1/x"', '"https://user:pass@x/y"', '"https://x/\\ny"', '"//evil"',
    '"javascript:alert(1)"', "\"' OR 1=1 --\"", '"{{7*7}}"', '"%s%n%x"', '"<script>"', '"localhost"', '"norn.io/app"',
    # schedules, durations, sizes
    '"* * * * * *"', '"@reboot"', '"0 0 30 2 *"', '"*/0 * * * *"', '"1-0 * * * *"', '"@every 0s"', '"@every 9999d"',
    '"-5s"', '"99999999999d"', '"1h1h"', '"10qb"', '"-1m"', '"0.0000001g"', '"١٢"', '"1_000"', '"+5"', '"5 "',
)  # fmt: skip

ROLES = {
    "webserver": "port: 8080\n",
    "worker": "",
    "cron": "schedule: '0 9 * * *'\n",
    "function": "",
}


def of_fields() -> Iterator[str]:
    """Yields one spec for each field with each value. The roles take turns, so that a field is also given to roles that
    do not have it.
    """
    for number, path in enumerate(field_paths()):
        for turn, value in enumerate(VALUES):
            role = tuple(ROLES)[(number + turn) % len(ROLES)]
            lines = f"app: x\nrole: {role}\n{ROLES[role]}"
            kept = "".join(line for line in lines.splitlines(True) if not line.startswith(f"{path}:"))
            yield kept + written(path, value)


def written(path: str, value: str) -> str:
    """Returns the lines that give a field a value; an indented value begins on the next line."""
    *sections, field = path.split(".")
    text, indent = "", ""
    for section in sections:
        text += f"{indent}{section.removesuffix('[]')}:\n"
        indent += "  "
        if section.endswith("[]"):
            indent += "- "
    inner = value.replace("\n", "\n" + " " * len(indent))
    return f"{text}{indent}{field}: {inner}\n"


def _beside(text: str) -> bytes:
    return f"app: x\nrole: worker\n{text}".encode()


def files() -> Iterator[bytes]:
    """Yields complete files that are broken, or that take much time or memory to read."""
    yield from (
        b"",
        b"\n",
        b"---\n",
        b"...",
        b"null",
        b"[]",
        b"x",
        b"0",
        b"app",
        b"app:",
        b": :",
        b"{",
        b"}",
        b"\t",
        b"- - -",
    )
    yield from (b"\x00", b"\xff\xfe", b"\xc3\x28", b"app: x\x00", b"app: \xe9\nrole: worker\n", b"\xed\xa0\x80")
    plain = "app: x\nrole: worker\n"
    yield from (plain.encode(coding) for coding in ("utf-16", "utf-16-le", "utf-32", "utf-7"))
    yield plain.replace("\n", "\r").encode() + b"port: 1\n"
    yield from (_beside(text) for text in (
        "---\napp: y\n", "...\napp: y\n", "app: y\n", "? app\n: y\n", "'app': y\n", '"\\x61pp": y\n',
        "env: &a {A: b}\nsecrets: *a\n", "\tport: 80\n", "env:\n\tA: b\n", "env: {A: b\n", "env: [A: b]\n", "# \x07\n",
        "<<: {port: 80}\n",
        "%YAML 9.9\n", "%TAG ! tag:x,2000:\n", "!!map {a: b}\n", "env: !!map {A: b}\n", "env:\n  A: b\n B: c\n", "=\n",
    ))  # fmt: skip
    yield _beside("env: " + "[" * 50_000)
    yield _beside("env: " + "{a: " * 15_000)
    yield _beside("env: " + "{A: " * 21 + "x" + "}" * 21)
    yield _beside("".join("  " * n + "a:\n" for n in range(200)))
    yield _beside("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)))
    yield _beside("".join(f"k{n}: x\n" for n in range(6_000)))
    yield _beside("env: {" + ", ".join(f"lower{n}: x" for n in range(4_000)) + "}\n")
    yield _beside("secrets: [" + ", ".join(["A"] * 10_000) + "]\n")
    yield _beside("command: " + "x" * 65_536)
    yield _beside("# " + "x" * 70_000 + "\n")
    yield _beside("y" * 60_000 + ": x\n")
    yield _beside("command: |\n" + "  a\n" * 15_000)


def all_of_them() -> tuple[bytes, ...]:
    """Returns all specs, each as the bytes of a file."""
    return (*files(), *(text.encode("utf-8", "surrogatepass") for text in of_fields()))
