"""Decides how many replicas an app should have: the number in its infraspec, unless a scale has replaced that
number.
"""

from __future__ import annotations


def wanted_replicas(in_spec: int, override: int | None, replaces: int | None) -> int:
    """Returns how many replicas of an app should run if its spec asks for `in_spec`.

    `override` is the number to which the app was scaled, and `replaces` is the infraspec's number at that time. The
    override applies only while the infraspec still has that number. `store.rules.wanted` is the same rule in SQL.
    """
    return override if override is not None and replaces == in_spec else in_spec
