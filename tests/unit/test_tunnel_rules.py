"""Ingress rules of a tunnel: where a rule is placed, and which rules are kept."""

from __future__ import annotations

from typing import Any

import pytest

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.ingress import read_ingress, rule_of
from norn_tasks.domain.tunnel.rules import fault_of, with_rule, without_rule

MAIL, SERVICE = "mail.example.com", "http://127.0.0.1:18800"
OURS: dict[str, Any] = {"hostname": MAIL, "service": SERVICE}
LAST: dict[str, Any] = {"service": "http_status:404"}
WIKI: dict[str, Any] = {"hostname": "wiki.example.com", "service": "http://10.0.0.9"}
WILD: dict[str, Any] = {"hostname": "*.example.com", "service": "http://10.0.0.9"}
PATH: dict[str, Any] = {"hostname": MAIL, "path": "^/admin", "service": "http://10.0.0.9"}
ANY_PATH: dict[str, Any] = {"path": "/health$", "service": "http://10.0.0.9"}


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ([], [OURS, LAST]),
        ([LAST], [OURS, LAST]),
        ([WIKI, LAST], [WIKI, OURS, LAST]),
        ([WIKI, WILD, LAST], [WIKI, OURS, WILD, LAST]),
        ([PATH, ANY_PATH, LAST], [PATH, ANY_PATH, OURS, LAST]),
        ([WILD, OURS, LAST], [OURS, WILD, LAST]),
        ([OURS, WIKI, OURS, LAST], [WIKI, OURS, LAST]),
        ([{**OURS, "service": "http://10.0.0.9"}, WIKI, LAST], [WIKI, OURS, LAST]),
    ],
)
def test_a_rule_gets_all_requests_of_its_name_but_those_of_paths(
    rules: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    made = with_rule(rules, MAIL, SERVICE)
    assert (made, fault_of(made, MAIL, SERVICE)) == (wanted, "")
    found = rule_of(read_ingress(made), MAIL)
    assert found is not None and found.service == SERVICE


@pytest.mark.parametrize("rules", [[OURS, LAST], [OURS, WIKI, LAST], [PATH, OURS, WILD, LAST]])
def test_a_good_rule_stays_where_it_is(rules: list[dict[str, Any]]) -> None:
    assert with_rule(rules, MAIL, SERVICE) == rules


def test_options_of_a_rule_are_kept() -> None:
    options = {"originRequest": {"noTLSVerify": True}}
    moved = with_rule([{**OURS, **options}, LAST], MAIL, "http://10.0.0.7")
    assert moved == [{**OURS, **options, "service": "http://10.0.0.7"}, LAST]


def test_only_the_rule_of_the_name_goes() -> None:
    assert without_rule([PATH, OURS, WILD, LAST], MAIL) == [PATH, WILD, LAST]


def test_rules_that_cloudflared_would_refuse_are_not_written_again() -> None:
    with pytest.raises(TunnelFailed, match="the last rule does not match every request"):
        with_rule([WIKI], MAIL, SERVICE)
