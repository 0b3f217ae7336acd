"""Makes archives in memory in the form in which `norn deploy` uploads them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping


def packed(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    """Returns a tar.gz of files, by relative path, and of symbolic links."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            opened.addfile(member)
    return into.getvalue()
