"""Which engines there are: the home of webservers, workers and volumes, and those beside it that a registry allows.

Home is the engine of the first worker that ever spoke. An engine that was replaced takes its place when nobody has
spoken for the old one for two minutes: at once so on the same machine, elsewhere only where no registry is set, since
with one a second engine beside an absent home is nothing unusual.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from norn_tasks.domain.placing import HOME
from norn_tasks.store.session import Tx

SILENCE = 120.0


@dataclass(frozen=True)
class Standing:
    """What a worker's engine is to this control plane; `refused`: why its worker may take no work."""

    home: bool
    refused: str | None = None

    def places(self, engine: str | None) -> list[str]:
        """Answers the engines' names under which jobs are pinned that a worker here may take."""
        return [place for place in (engine, HOME if self.home else None) if place is not None]


_SPEAK = text(f"""
UPDATE instance SET engine = :engine, engine_host = :host, engine_seen_at = clock_timestamp()
 WHERE engine IS NULL OR engine = :engine
    OR (engine_seen_at < clock_timestamp() - interval '{SILENCE:g} s' AND (engine_host = :host OR NOT :registry))
RETURNING engine""")  # noqa: S608 - built from constants

_HOME = text("SELECT engine, engine_host FROM instance")


def speak(tx: Tx, engine: str, host: str, *, registry: bool) -> Standing:
    """Notes that a worker on `host` speaks for an engine, and answers how that stands to home."""
    if tx.scalar(_SPEAK, {"engine": engine, "host": host, "registry": registry}) is not None:
        return Standing(home=True)
    home = tx.execute(_HOME).one()
    if registry:
        return Standing(home=False)
    return Standing(
        home=False,
        refused=f"this worker's engine is not the one of this Norn, which is on {home.engine_host}: a second engine "
        "needs NORN_REGISTRY_URL",
    )


def standing_of(tx: Tx, engine: str) -> Standing:
    """Answers how an engine stands to home, without speaking for it."""
    return Standing(home=tx.execute(_HOME).one().engine in (None, engine))


_OTHERS = text("""
SELECT DISTINCT w.engine FROM workers w, instance i
 WHERE w.class = 'observe' AND w.engine <> i.engine AND w.engine_error IS NULL AND w.draining_at IS NULL
   AND w.seen_at > clock_timestamp() - interval '60 s' ORDER BY w.engine""")


def others(tx: Tx) -> list[str]:
    """Answers the engines beside home that answer an observe worker."""
    return list(tx.scalars(_OTHERS))
