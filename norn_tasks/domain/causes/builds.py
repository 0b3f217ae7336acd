"""Finds the line of a failed build that names the cause, and a hint for errors of the tools that builds use most."""

from __future__ import annotations

import re
from collections.abc import Iterable

from norn_tasks.domain.causes.evidence import Cause
from norn_tasks.domain.causes.lines import cleaned, quoted

_Row = tuple[str, str]
_ROWS: tuple[_Row, ...] = (
    # Network
    (
        r"Could not resolve|Temporary failure (?:in name resolution|resolving)|EAI_AGAIN|ENOTFOUND"
        r"|no such host|Name or service not known"
        r"|unable to access '[^']+'.*|bad address '[^']+'",
        "the build cannot find that host: check the address and the server's network",
    ),
    (
        r"ECONNREFUSED|Connection refused|ETIMEDOUT|i/o timeout|Read timed out|network is unreachable|ConnectTimeout",
        "the build does not reach that address: check it, and the server's network",
    ),
    (
        r"certificate verify failed|self.signed certificate|unable to get local issuer|x509: ",
        "the build does not trust that certificate: install ca-certificates first",
    ),
    # Package managers
    (
        r"No matching distribution found for (\S+)"
        r"|Could not find a version that satisfies the requirement (\S+)"
        r"|ERROR: No matching distribution",
        "correct the name or the version in requirements",
    ),
    (
        r"ResolutionImpossible|Cannot install .* because these package versions have conflicting "
        r"dependencies",
        "two requirements exclude each other: loosen one",
    ),
    (
        r"Could not open requirements file|No such file or directory: '[^']*requirements[^']*'",
        "COPY that file before pip install",
    ),
    (
        r"The `npm ci` command can only install with|npm ci` can only install packages when",
        "commit package-lock.json (npm install writes it), or RUN npm install",
    ),
    (r"No matching version found for", "correct the version in package.json"),
    (
        r"404 Not Found - GET|is not in (?:this|the npm) registry",
        "correct the name in package.json; a private package needs a token",
    ),
    (
        r"ERESOLVE|Conflicting peer dependency|could not resolve$",
        "two packages exclude each other: change a version in package.json",
    ),
    (r"Missing script: ", "add it to scripts in package.json, or run another one"),
    (
        r"ERR_PNPM_\w+.*|Your lockfile needs to be updated|frozen-lockfile",
        "commit the lock file of the current package.json",
    ),
    (
        r"Unable to locate package|has no installation candidate|Package '?\S+'? has no",
        "correct the name, and RUN apt-get update in the same line before it",
    ),
    (r"unable to select packages|\(no such package\)", "correct the name of the package for apk"),
    (
        r"missing go\.sum entry|no required module provides package|go\.mod file not found"
        r"|updates to go\.mod needed|cannot find module",
        "run go mod tidy, and commit go.mod and go.sum",
    ),
    (r"requires go >= |toolchain not available|go\.mod requires", "build on a newer golang image"),
    (
        r"Could not find gem|Bundler could not find|Gem::\w+|Your bundle is locked",
        "run bundle install, and commit Gemfile.lock",
    ),
    (
        r"Your requirements could not be resolved|lock file .* not up to date",
        "run composer update, and commit composer.lock",
    ),
    (r"Could not resolve dependencies for project|Could not find artifact", "correct the dependency in pom.xml"),
    (r"Unsupported engine|EBADENGINE.*", "build on the version of node that package.json wants"),
    # Code
    (
        r"error TS\d+: |error\[E\d+\]: |: error: |: fatal error: |undefined: |SyntaxError"
        r"|IndentationError|cannot find symbol|Syntax error|syntax error",
        "correct the code at that place",
    ),
    (
        r"ModuleNotFoundError|Cannot find module|cannot load such file|Can't resolve '"
        r"|package \S+ is not in GOROOT|is not in std",
        "install it before this step, or COPY it",
    ),
    (
        r"heap out of memory|OutOfMemoryError|cannot allocate memory|signal: killed|^Killed$",
        "raise NORN_BUILD_MEMORY, or build with less",
    ),
    (r"no space left on device|ENOSPC", "make room: `docker system df` shows what uses the disk"),
    (r"No rule to make target|No targets specified|missing separator", "correct the Makefile, or COPY it"),
    (
        r"not found$|: not found|command not found|executable file not found",
        "install it in an earlier step, or build on another image",
    ),
    (
        r"Permission denied|EACCES|Operation not permitted",
        "RUN chmod or chown before, or run this step as another USER",
    ),
    (
        r"No such file or directory|ENOENT|can't cd to|can't open|cannot stat|can't stat",
        "COPY it before this step, and look at WORKDIR and .dockerignore",
    ),
    (r"FAILED |\d+ failed|--- FAIL|AssertionError|Tests? failed", "a test that the Dockerfile runs fails"),
    (
        r"pull access denied|manifest unknown|failed to resolve",
        "check the name in FROM; a private image needs `docker login`",
    ),
)
_RULES = tuple((re.compile(pattern, re.IGNORECASE if pattern[0] != "^" else 0), hint) for pattern, hint in _ROWS)
_ERROR = re.compile(
    r"^\s*(?:\[?ERROR\]?|E|npm (?:error|ERR!)|error|fatal|panic|FATAL)\b[:\s\]]|\berror\b[: ]|Error: ", re.IGNORECASE
)
_NOT_IT = re.compile(
    r"npm (?:warn|notice)|.*\bWARN(?:ING)?\b|WARN|npm (?:error|ERR!) (?:code|errno|path|command"
    r"|A complete)\b|.*DEPRECATION|\s*\[notice\]"
    r"|make(?:\[\d+\])?: \*\*\* \[|Step \d+/|The command |.*failed with exit code"
    r"|.*returned a non-zero|error: subprocess-exited"
    r"|ERROR: Could not find a version that|ERROR: failed to (?:solve|build)"
    r"|.*did not complete successfully|warning",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"\A(?:npm (?:error|ERR!) (?:notarget |404 +|ERESOLVE )?|\[?ERROR\]?:? (?=\S)|E: |error: )", re.IGNORECASE
)
_SECONDS = re.compile(r"\A\d+\.\d{1,3} (?=\S)")


def cause_in_build(lines: Iterable[str]) -> Cause | None:
    """Returns the cause that the output of a build names; None if it names no cause."""
    stripped = [_SECONDS.sub("", line.strip()) for line in cleaned(lines)]
    read = [line for line in stripped if line and not _NOT_IT.match(line)]
    errors = [line for line in read if _ERROR.search(line)]
    for some in (errors, read):
        if found := _by_rule(some):
            return found
    return Cause(_bare(errors[0])) if errors else None


def _by_rule(read: list[str]) -> Cause | None:
    """Returns the cause of the first rule that matches a line.

    It quotes the first matching line, because a compiler's later errors may only follow from its first one.
    """
    for pattern, hint in _RULES:
        lines = [line for line in read if pattern.search(line)]
        if lines:
            return Cause(_joined(read, lines[0]), hint)
    return None


def _joined(read: list[str], line: str) -> str:
    """Returns a line, joined with the next one if its sentence continues there."""
    text = _bare(line)
    if not re.search(r"\b(?:or|and|the|with an existing package-lock\.json or)$", text):
        return text
    after = read[read.index(line) + 1 :][:1]
    return quoted(f"{text} {_bare(after[0])}") if after else text


def _bare(line: str) -> str:
    return quoted(_PREFIX.sub("", line, count=1))
