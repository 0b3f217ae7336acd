"""The engines: the home engine, which has the replicas and volumes, and further engines, which need a registry.

The home engine is the engine of the first worker that ever reported. Another engine becomes the home engine if no
worker has reported the old one for two minutes, and if it is on the same machine or no registry is set. With a
registry, an engine on another machine never becomes the home engine, because it may be a second engine, and the silent
home engine may come back.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.store.database.session import Tx

SILENCE = 120.0
"""The seconds without a report after which another engine may become the home engine."""


@dataclass(frozen=True)
class EngineMembership:
    """How a worker's engine belongs to this control plane; `refused` is the reason why its worker may take no work."""

    home: bool
    refused: str | None = None


_SPEAK = text(f"""
UPDATE instance SET engine = :engine, engine_host = :host, engine_seen_at = clock_timestamp()
 WHERE engine IS NULL OR engine = :engine
    OR (engine_seen_at < clock_timestamp() - interval '{SILENCE:g} s' AND (engine_host = :host OR NOT :registry))
RETURNING engine""")  # noqa: S608 - built from constants

_HOME = text("SELECT engine, engine_host FROM instance")


def speak(tx: Tx, engine: str, host: str, *, registry: bool) -> EngineMembership:
    """Records that a worker on `host` reports an engine, and returns how the engine belongs to this control plane."""
    if tx.scalar(_SPEAK, {"engine": engine, "host": host, "registry": registry}) is not None:
        return EngineMembership(home=True)
    home = tx.execute(_HOME).one()
    if registry:
        return EngineMembership(home=False)
    return EngineMembership(
        home=False,
        refused=f"this worker's engine is not the one of this Norn, which is on {home.engine_host}: a second engine "
        "needs NORN_REGISTRY_URL",
    )


_OTHERS = text("""
SELECT DISTINCT w.engine FROM workers w, instance i
 WHERE w.class = 'observe' AND w.engine <> i.engine AND w.engine_error IS NULL AND w.draining_at IS NULL
   AND w.seen_at > clock_timestamp() - interval '60 s' ORDER BY w.engine""")


def others(tx: Tx) -> list[str]:
    """Returns the engines that answer to an observe worker, except the home engine."""
    return list(tx.scalars(_OTHERS))
