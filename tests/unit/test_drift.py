"""The drift between two JSON values, field by field."""

from __future__ import annotations

import pytest

from norn_tasks.domain.comparing.drift import LONGEST, Drift, drifts


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, (("a.b", "1", "2"),)),
        ({"a": "x"}, {}, (("a", "x", None),)),
        ({}, {"a": {"b": True}}, (("a.b", None, "true"),)),
        ({"a": 0, "b": [], "c": ""}, {"b": None}, ()),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "A", "value": "2"}]}, (("env.A.value", "1", "2"),)),
        ({"e": [{"name": "A", "v": "1"}, {"name": "B"}]}, {"e": [{"name": "B"}, {"name": "A", "v": "1"}]}, ()),
        ({"args": ["a", "b"]}, {"args": ["b", "a"]}, (("args", '["a", "b"]', '["b", "a"]'),)),
        ({"a": "x"}, {"a": {"b": 1}}, (("a.", "x", None), ("a.b", None, "1"))),
    ],
)  # fmt: skip
def test_each_field_that_differs_is_one_drift(
    wanted: object, found: object, expected: tuple[tuple[str, ...], ...]
) -> None:
    assert tuple(drifts("Thing", wanted, found)) == tuple(Drift("Thing", *each) for each in expected)


def test_a_long_value_is_cut() -> None:
    (drift,) = drifts("Thing", {"a": "x" * 1000}, {"a": "y"})
    assert drift.wanted == "x" * LONGEST + "…"
