"""How many replicas an app wants: the number in its spec, unless a scale has replaced that number."""

from __future__ import annotations


def wanted_replicas(in_spec: int, override: int | None, replaces: int | None) -> int:
    """Returns how many replicas should run of an app whose spec asks for `in_spec`.

    `override` is the number that the app was scaled to. It holds as long as the spec asks for the number that it
    `replaces`. `store.rules.wanted` is the same rule in SQL.
    """
    return override if override is not None and replaces == in_spec else in_spec
