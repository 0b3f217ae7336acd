"""Explains why git or ssh could not read a repository: finds the line with the reason in their output, and adds
a hint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_USER = "the user that runs the deploy worker"
_KEY = f"a key without passphrase in ~/.ssh of {_USER} (docs/sources.md, Private repositories)"
_BY_SSH = f"a private one needs a token (norn repo login URL), or ssh: repo.url: git@host:path.git, and {_KEY}"

_NO_MORE = "Could not read from remote repository"
"""A text that git always adds. It gives no reason; other lines have the reason, from ssh or from the server."""

_KNOWN = (
    (r"returned error: 30\d|redirect",
     "write in repo.url the address to which it redirects, likely the same with .git at its end"),
    (r"could not read Username|Authentication failed", f"check repo.url; {_BY_SSH}"),
    (r"host key verification failed|host identification has changed",
     f"its host key differs from the one in ~/.ssh/known_hosts of {_USER}: find out why, then correct that file"),
    (r"permission denied|repository not found", f"check repo.url; it is read with {_KEY}"),
)  # fmt: skip


def explained(lines: Sequence[str], code: int) -> tuple[str, str]:
    """Returns why the repository could not be read, according to the last lines of git and ssh, and a hint."""
    for pattern, hint in _KNOWN:
        known = next((line for line in lines if re.search(pattern, line, re.IGNORECASE)), "")
        if known:
            return known, hint
    fatal = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
    if _NO_MORE in fatal:
        fatal = next((line for line in lines if line.strip() and line != fatal), fatal)
    return fatal or "".join(lines[-1:]) or f"it ended with {code}", f"check repo.url; {_BY_SSH}"
