"""Amounts of memory and processors in the notations that users write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.domain.quantities import duration_text, memory_text, parse_cpu, parse_duration, parse_memory

MIB = 2**20


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1048576", MIB),
        ("512b", 512),
        ("1k", 1024),
        ("256m", 256 * MIB),
        ("256M", 256 * MIB),
        ("256mb", 256 * MIB),
        ("256Mi", 256 * MIB),
        ("1MiB", MIB),
        ("16 MiB", 16 * MIB),
        ("1.5g", 1536 * MIB),
        ("2T", 2 * 2**40),
    ],
)
def test_a_size_means_bytes_and_its_units_are_binary(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    "text", ["", "m", "-1m", "1.m", "1..5g", "5x", "1 g b", "512bi", "1e3", "٣m", " 1m", "1m\n", "1p"]
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a size") as refused:
        parse_memory(text)
    assert "512m" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1d2h3m4s", 93_784)],
)
def test_a_duration_means_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1.5h", "-5s", "5s1m", "5 m", "1w", "5ms", "٣s", "5m\n", "1h1h"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a duration") as refused:
        parse_duration(text)
    assert "90s" in refused.value.hint


@pytest.mark.parametrize(("text", "cores"), [("1", 1.0), ("0.5", 0.5), ("500m", 0.5), ("2.125", 2.125), ("1500m", 1.5)])
def test_cores_are_whole_parts_or_thousandths(text: str, cores: float) -> None:
    assert parse_cpu(text) == cores


@pytest.mark.parametrize("text", ["", "nan", "inf", ".5", "1.", "-1", "1e3", "0.5m", "1,5"])
def test_what_is_no_number_of_cores_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a number of cores"):
        parse_cpu(text)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**50))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_memory(memory_text(size)) == size


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**8))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == seconds
