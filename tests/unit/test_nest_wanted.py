"""Descriptions of runs that the nest (the container in which crun starts runs) refuses before it makes anything."""

from __future__ import annotations

import pytest

from norn_tasks.adapters.nest.program.wanted import checked

FINE = {
    "do": "run", "name": "norn-x-1", "app": "a", "owner": "execution:1", "fence": 1, "outlives": False,
    "image": "0123", "argv": ["true"], "env": {"A": "b"}, "hostname": "sandbox", "memory": 32 * 2**20, "cpus": 0.5,
    "network": "none", "hosts": {}, "stdin": 0,
}  # fmt: skip


def test_a_description_of_a_run_is_accepted() -> None:
    assert checked(FINE) == FINE
    assert checked(FINE | {"argv": None, "cpus": 4, "network": "bridge", "hosts": {"shop": "10.0.0.1"}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../1"), ("name", ""), ("name", 1), ("image", "a/b"), ("hostname", "a b"), ("app", None),
        ("owner", 1), ("fence", "1"), ("fence", True), ("outlives", 0), ("argv", "true"), ("argv", [1]),
        ("argv", ["a\0b"]), ("env", []), ("env", {"A": 1}), ("env", {"A": "a\0b"}), ("memory", -1), ("memory", 0),
        ("memory", 2**60), ("memory", "1"), ("memory", 1.5e9), ("cpus", 0), ("cpus", -1), ("cpus", float("nan")),
        ("cpus", "1"), ("network", "host"), ("network", None), ("hosts", [1]), ("stdin", -1), ("stdin", None),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused(field: str, value: object) -> None:
    """A memory limit of -1 would be no limit at all."""
    with pytest.raises(ValueError, match=r"not valid|may have only"):
        checked(FINE | {field: value})
