"""The sign: a text that a server returns at each of its public names. If a name returns it, the name leads to this
server.
"""

from __future__ import annotations

import hashlib

PATH = "/.well-known/norn"
"""The path at which every public name answers with the sign of its server."""


def sign(instance: str) -> str:
    """Returns the sign of a control plane. The sign is no secret, and does not reveal the name of the control plane."""
    return hashlib.sha256(f"norn-edge {instance}".encode()).hexdigest()[:32]
