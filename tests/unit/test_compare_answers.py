"""The comparison of two responses: where their bodies differ, and that large bodies do not block the process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from norn_api.calling.comparing import LINES_COMPARED, TEXT_MOST, compare
from norn_tasks.domain.functions.cgi import FunctionAnswer

BODIES = st.lists(st.sampled_from([b"a", b"b"]), max_size=6).map(b"".join)


def body(content: bytes) -> FunctionAnswer:
    return FunctionAnswer(200, (), content)


@given(BODIES, BODIES)
def test_first_byte_is_where_the_bodies_begin_to_differ(before: bytes, after: bytes) -> None:
    found = compare(body(before), body(after)).first_byte
    if before == after:
        assert found is None
    else:
        assert found is not None
        assert before[:found] == after[:found]
        assert before[found : found + 1] != after[found : found + 1]


def test_bodies_of_too_many_lines_are_compared_by_their_bytes_alone() -> None:
    few, many = b"a\n" * LINES_COMPARED, b"a\n" * (LINES_COMPARED + 1)
    assert len(many) < TEXT_MOST
    assert compare(body(few), body(b"b\n" + few[2:])).lines
    found = compare(body(many), body(b"b\n" + many[2:]))
    assert (found.first_byte, found.lines) == (0, ())
