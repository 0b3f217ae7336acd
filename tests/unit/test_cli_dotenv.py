"""Reading .env files."""

from __future__ import annotations

import pytest

from norn_cli.dotenv import parsed
from norn_cli.errors import Usage


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1", {"A": "1"}),
        ("# a comment\n\n  A = 1  # why\n", {"A": "1"}),
        ("A=b#c\n", {"A": "b#c"}),
        ("A='x # \"y\" $HOME \\n'\n", {"A": 'x # "y" $HOME \\n'}),
        ('A="x\\n\\"y\\" \\\\ \\$HOME"\n', {"A": 'x\n"y" \\ $HOME'}),
        ('A="-----BEGIN\nabc\n-----END\n"\nB=2\n', {"A": "-----BEGIN\nabc\n-----END\n", "B": "2"}),
        ("A=\nB=''\n", {"A": "", "B": ""}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=postgres://joe:pw@host/db?x=1\n", {"A": "postgres://joe:pw@host/db?x=1"}),
        ("", {}),
    ],
)
def test_a_file_is_read_as_it_is_meant(text: str, found: dict[str, str]) -> None:
    assert parsed(text, ".env") == found


@pytest.mark.parametrize("text", ["A=1\nhunter2\n", "A=1\nB='hunter2\n", 'A=1\n"hunter2"=x\n', "A=1\nB='x' hunter2\n"])
def test_what_is_no_variable_is_told_by_its_line_and_not_repeated(text: str) -> None:
    with pytest.raises(Usage) as refused:
        parsed(text, ".env")
    assert refused.value.sentence == ".env:2: this is not NAME=value"
