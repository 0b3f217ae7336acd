"""An API without tokens refuses every request to a name of another machine, and every change that a page of another
origin in the user's browser could request.
"""

from __future__ import annotations

import pytest

from norn_api.access.open_door import ForeignHost, ForeignPage, refuse_foreign

OURS = [
    "127.0.0.1", "127.0.0.1:8800", "127.1.2.3:8800", "[::1]:8800", "localhost", "LOCALHOST:8800", "norn.localhost:8800",
]  # fmt: skip
FOREIGN = [
    "", "norn.example", "norn.example:8800", "192.0.2.1:8800", "0.0.0.0:8800", "localhost.norn.example", "notlocalhost",
    "127.0.0.1.norn.example", "127.0.0.1@norn.example", "norn.example@127.0.0.1", "[::1", "[2001:db8::1]:8800",
    "127.0.0.1:8800.norn.example", "127.0.0.1, norn.example",
]  # fmt: skip
PAGES = [
    {"Origin": "https://norn.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8801"},
    {"Origin": "http://localhost:8800"}, {"Origin": "http://127.0.0.1"}, {"Origin": ""}, {"Origin": "http://[::1"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://norn.example", "Sec-Fetch-Site": "same-origin"},
]  # fmt: skip
OWN = [
    {}, {"Origin": "http://127.0.0.1:8800"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "http://127.0.0.1:8800", "Sec-Fetch-Site": "same-origin"},
]  # fmt: skip
HERE = {"Host": "127.0.0.1:8800"}


@pytest.mark.parametrize("host", OURS)
def test_names_of_this_machine_are_answered_to(host: str) -> None:
    refuse_foreign("POST", {"Host": host})


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_are_not(method: str, host: str) -> None:
    with pytest.raises(ForeignHost):
        refuse_foreign(method, {"Host": host})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_from_elsewhere_changes_nothing(method: str, page: dict[str, str]) -> None:
    with pytest.raises(ForeignPage):
        refuse_foreign(method, HERE | page)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_from_elsewhere_may_ask_for_what_its_browser_does_not_show_it(page: dict[str, str]) -> None:
    refuse_foreign("GET", HERE | page)


@pytest.mark.parametrize("page", OWN, ids=str)
def test_programs_and_own_pages_change_things(page: dict[str, str]) -> None:
    refuse_foreign("POST", HERE | page)
