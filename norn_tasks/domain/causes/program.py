"""Rules for a program that cannot be executed: because of its architecture, its first line, its loader, or its
permissions.
"""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence, ProgramFile
from norn_tasks.domain.causes.lines import cleaned

FAILED = re.compile(
    r"(?:standard_init_linux\.go:\d+: )?(?:exec (?:user process caused: )?|\[FATAL tini \(\d+\)\] exec )"
    r"(?P<path>[^\s:]*)(?: failed)?:? ?(?P<why>exec format error|no such file or directory|permission denied)",
    re.IGNORECASE,
)
BY_A_SHELL = re.compile(
    r"\S*sh: (?:line )?(?:\d+: )?(?P<path>\.?/\S+): (?P<why>not found|No such file or directory|Permission denied"
    r"|Exec format error|cannot execute.*|bad interpreter.*|required file not found)",
    re.IGNORECASE,
)
READ_BY_A_SHELL = re.compile(r"(?P<path>/\S+): (?:line )?\d+: .*(?:syntax error|not found|unexpected).*", re.IGNORECASE)
_CRLF = re.compile(
    r"\\r'?: (?:command )?not found|\^M|'[\w./-]+\\r'|^: (?:command )?not found$|illegal option -$", re.IGNORECASE
)
_MACHINES = {0x03: "x86", 0x28: "arm", 0x3E: "amd64", 0xB7: "arm64", 0xF3: "riscv64", 0x15: "ppc64le", 0x16: "s390x"}
_OF_OTHER_SYSTEMS = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_COMMAND = "check `command` in infraspec.yaml, and CMD and ENTRYPOINT in the Dockerfile"
_PLATFORM = "build it for the server's architecture, in the Dockerfile itself or with GOARCH, --target or the like"
_LINE_ENDS = "save it with LF: `sed -i 's/\\r$//' {}`, and `*.sh text eol=lf` in .gitattributes"


def failed_program(lines: tuple[str, ...]) -> str | None:
    """Returns the path of the program that a container could not execute, if its last lines name it."""
    for line in reversed(cleaned(lines)):
        if found := FAILED.search(line) or BY_A_SHELL.search(line) or READ_BY_A_SHELL.match(line):
            return found["path"].strip("\"'")
    return None


def not_executable(evidence: Evidence) -> Cause | None:
    """Returns a cause for a program that the kernel refused to execute; the contents of its file show the reason."""
    found = next(filter(None, (FAILED.search(each) or BY_A_SHELL.search(each) for each in _lines(evidence))), None)
    if found is None:
        return None
    path, why = found["path"].strip("\"'"), found["why"].lower()
    if "permission" in why:
        return Cause(f"{path} may not be executed", f"RUN chmod +x {path} in the Dockerfile, or COPY --chmod=755")
    if evidence.program is not None and evidence.program.head:
        return _by_its_file(path, why, evidence.program)
    if "format" in why:
        return Cause(
            f"{path} cannot be executed here (exec format error): its first line is no #!, or it is for "
            f"another machine",
            f"begin a script with #!/bin/sh; otherwise {_PLATFORM}",
        )
    return Cause(f"the image has no program {path or 'of that name'}", _COMMAND)


def binary_as_script(evidence: Evidence) -> Cause | None:
    """Returns a cause for a binary of another architecture: the container's init could not execute it, and ran it as a
    shell script instead.
    """
    if evidence.program is None or not evidence.program.head.startswith(b"\x7fELF"):
        return None
    found = next(filter(None, map(READ_BY_A_SHELL.match, _lines(evidence))), None)
    return _of_a_binary(found["path"], "format", evidence.program.head) if found else None


def _by_its_file(path: str, why: str, program: ProgramFile) -> Cause:
    head = program.head
    first = head.split(b"\n", 1)[0]
    if head.startswith(b"\x7fELF"):
        return _of_a_binary(path, why, head)
    if first.startswith(b"#!") and first.endswith(b"\r"):
        return Cause(
            f"{path} has the line ends of Windows (CRLF), so its interpreter is not found",
            _LINE_ENDS.format(path.rpartition("/")[2]),
        )
    if first.startswith(b"#!"):
        named = first[2:].decode("utf-8", "replace").strip()
        return Cause(
            f"{path} begins with #!{named}, and the image has no such program",
            "install it in the Dockerfile, or name another one such as #!/bin/sh",
        )
    if head.startswith(_OF_OTHER_SYSTEMS):
        return Cause(f"{path} is a program for another system (exec format error)", "build it for Linux")
    return Cause(
        f"{path} does not begin with #!, so nothing says how to run it (exec format error)",
        "write #!/bin/sh as its first line, or name the interpreter in CMD or `command`",
    )


def _of_a_binary(path: str, why: str, head: bytes) -> Cause:
    if "format" in why:
        machine = int.from_bytes(head[18:20], "little" if head[5:6] == b"\x01" else "big")
        name = _MACHINES.get(machine, f"machine {machine:#x}")
        return Cause(f"{path} was built for {name}, which this machine cannot run (exec format error)", _PLATFORM)
    return Cause(
        f"{path} needs a loader (of glibc or musl) that the image does not have",
        "link it statically (CGO_ENABLED=0), or build and run it on the same base image",
    )


def windows_line_ends(evidence: Evidence) -> Cause | None:
    """Returns a cause if a shell or `env` has reported an error that is typical of a script whose lines end
    with CRLF.
    """
    if any(_CRLF.search(line) for line in evidence.lines):
        return Cause("a script has the line ends of Windows (CRLF)", _LINE_ENDS.format("the script"))
    return None


def missing_library(evidence: Evidence) -> Cause | None:
    """Returns a cause for a shared library, or a version of it, that the image does not have."""
    for line in _lines(evidence):
        if found := re.search(r"(\S+\.so[.\d]*): cannot open shared object file|loading shared library (\S+?):", line):
            return Cause(f"the image has no library {found[1] or found[2]}", "install its package in the Dockerfile")
        if re.search(r"version `GLIBC\w*_[\d.]+' not found|Error relocating", line):
            return Cause(line.strip()[:240], "build and run it on the same base image, or link it statically")
    return None


def missing_program(evidence: Evidence) -> Cause | None:
    """Returns a cause for a program that a shell did not find."""
    for line in _lines(evidence):
        found = re.search(r"sh: (?:line )?(?:\d+: )?([\w./@+-]+): (?:command )?not found", line) or re.search(
            r"^/\S+: (?:line )?(?:\d+: )?([\w./@+-]+): (?:command )?not found", line
        )
        if found:
            return Cause(f"the image has no program {found[1]}", f"install it in the Dockerfile; or {_COMMAND}")
    return None


def _lines(evidence: Evidence) -> list[str]:
    return list(reversed(cleaned(evidence.lines)))
