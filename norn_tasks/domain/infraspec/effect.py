"""Finds the differences between two infraspecs that change how the app runs and need no new build of its image."""

from __future__ import annotations

from norn_tasks.domain.infraspec.model import Infraspec

OF_A_DEPLOY = frozenset({"core", "image", "build", "repo", "services", "migrations", "artifacts"})
"""Fields that say how a release is made and stored; a change of one takes effect with the next deploy."""


def differences(live: Infraspec, wanted: Infraspec) -> tuple[str, ...]:
    """Returns the fields that differ and that change how the app runs, as the file spells them."""
    before, after = (spec.model_dump(mode="json", by_alias=True) for spec in (live, wanted))
    names = type(wanted).model_fields.items()
    aliases = [field.alias or name for name, field in names if name not in OF_A_DEPLOY]
    return tuple(name for name in aliases if before.get(name) != after.get(name))
