"""Rules for causes in the file system: it is read-only or full, or a file is missing, locked, or owned by
another user.
"""

from __future__ import annotations

import re

from norn_tasks.domain.causes.evidence import Cause, Evidence
from norn_tasks.domain.causes.lines import latest

_READ_ONLY = re.compile(r"read-only file ?system|\bEROFS\b|\[Errno 30\]|OSError 30\b", re.IGNORECASE)
_UNWRITABLE_DATABASE = re.compile(r"unable to open database file|attempt to write a readonly database", re.IGNORECASE)
_FULL = re.compile(r"no space left on device|\bENOSPC\b|disk quota exceeded|\bEDQUOT\b", re.IGNORECASE)
_DENIED = re.compile(r"permission denied|\bEACCES\b|\bEPERM\b|operation not permitted|access denied", re.IGNORECASE)
_LOW_PORT = re.compile(r"bind|listen|EACCES.*:(\d{1,3})\b|socket", re.IGNORECASE)
_MISSING = re.compile(
    r"no such file or directory|\bENOENT\b|FileNotFoundError|can't open file|cannot open"
    r"|NoSuchFileException|can't cd to"
    r"|Could not open input file",
    re.IGNORECASE,
)
_LOCKED = re.compile(
    r"resource temporarily unavailable|\bEAGAIN\b|\bEWOULDBLOCK\b|database is locked|already locked|lock(?:ed)? by"
    r"|waiting for (?:the |a )?.*lock|(?:acquire|obtain|get|hold|take)\w* (?:the |a |an |exclusive )*\w* ?lock"
    r"|lock ?file|could not lock|unable to lock|lock on|another (?:process|instance)|is already in use by another",
    re.IGNORECASE,
)
_PATH = re.compile(r"[\"'`(\s:=](/[\w./@+-]*[\w@+-])")
_SCRATCH = "container.writable: true in infraspec.yaml makes its root file system writable; /tmp always is"


def read_only(evidence: Evidence) -> Cause | None:
    """Returns a cause for a write to a read-only file system: a mount, or the root that Norn made read-only."""
    line = latest(evidence.lines, _READ_ONLY) or (
        latest(evidence.lines, _UNWRITABLE_DATABASE) if evidence.read_only else None
    )
    if line is None:
        return None
    if evidence.read_only:
        return Cause(line, _SCRATCH)
    return Cause(line, "this path is mounted read-only; write to a volume, or to another directory")


def full(evidence: Evidence) -> Cause | None:
    """Returns a cause for a full disk, or for a full directory that is kept in memory (a tmpfs)."""
    line = latest(evidence.lines, _FULL)
    return Cause(line, "make room on the server's disk: `docker system df` shows what uses it") if line else None


def denied(evidence: Evidence) -> Cause | None:
    """Returns a cause for a permission that the program lacks: for a file, a volume or a low port."""
    line = latest(evidence.lines, _DENIED)
    if line is None:
        return None
    path = _path(line)
    volume = next((each for each in evidence.volumes if path and f"{path}/".startswith(f"{each}/")), None)
    user = evidence.user or "the user of the image"
    if volume:
        return Cause(
            line,
            f"the volume at {volume} is not writable for {user}: before USER, "
            f"RUN mkdir -p {volume} && chown {evidence.user or 'USER'} {volume} in the Dockerfile, "
            "and a new volume gets that owner",
        )
    if path:
        return Cause(line, f"{path} is not accessible for {user}: COPY --chown or RUN chown in the Dockerfile")
    if _LOW_PORT.search(line):
        return Cause(line, "a port below 1024 may need root: listen on one above, and write it as `port`")
    return Cause(line, f"check the permissions of the files that it uses: it runs as {user}")


def locked(evidence: Evidence) -> Cause | None:
    """Returns a cause for a lock that another process holds, such as the old replica that still serves."""
    line = latest(evidence.lines, _LOCKED)
    if line is None and not evidence.waits_for_lock:
        return None
    said = line or "it waits for a lock on a file"
    if evidence.beside:
        return Cause(
            f"{said}; the old replica, which serves until the new one is ready, may hold it",
            "rollout: recreate in infraspec.yaml ends the old replica first",
        )
    return Cause(said, "another process holds the lock: look for a second one of the app, or for a stale lock file")


def missing(evidence: Evidence) -> Cause | None:
    """Returns a cause for a file that the image does not have."""
    line = latest(evidence.lines, _MISSING)
    if line is None:
        return None
    path = _path(line)
    what = path or "the file"
    return Cause(line, f"{what} is not in the image: COPY it in the Dockerfile, and look for it in .dockerignore")


def _path(line: str) -> str:
    found = _PATH.search(f" {line}")
    return found[1] if found else ""
