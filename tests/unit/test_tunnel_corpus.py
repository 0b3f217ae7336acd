"""63 files in cloudflared's grammar: 50 that it accepts are read, edited and restored, and 13 others are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.config_file import ConfigFile
from norn_tasks.domain.tunnel.ingress import read_ingress, rule_of
from norn_tasks.domain.tunnel.rules import with_rule, without_rule

CORPUS = Path(__file__).parents[1] / "corpus" / "ingress"
EXPECTED = json.loads((CORPUS / "expected.json").read_text())
OURS, SERVICE = "norn.example.net", "http://127.0.0.1:18800"


def text_of(kind: str, name: str) -> str:
    return (CORPUS / kind / f"{name}.yaml").read_text()


def ingress_of(file: ConfigFile) -> tuple[object, bool]:
    options = file.values.get("originRequest") or {}
    return file.values.get("ingress"), bool(options.get("bastionMode"))


def test_the_corpus_has_50_files_that_are_valid_and_13_that_are_not() -> None:
    there = {kind: {file.stem for file in (CORPUS / kind).iterdir()} for kind in EXPECTED}
    assert there == {kind: set(named) for kind, named in EXPECTED.items()}
    assert {kind: len(named) for kind, named in there.items()} == {"valid": 50, "invalid": 13}


@pytest.mark.parametrize("name", EXPECTED["valid"])
def test_a_valid_file_routes_as_cloudflared_does(name: str) -> None:
    rules = read_ingress(*ingress_of(ConfigFile.read(text_of("valid", name))))
    for request, service in EXPECTED["valid"][name].items():
        host, _, path = request.partition("/")
        found = rule_of(rules, host, f"/{path}")
        assert found is not None and found.service == service, request


@pytest.mark.parametrize("name", EXPECTED["invalid"])
def test_an_invalid_file_is_refused(name: str) -> None:
    text = text_of("invalid", name)
    with pytest.raises(TunnelFailed) as refused:
        read_ingress(*ingress_of(ConfigFile.read(text)))
    assert EXPECTED["invalid"][name] in refused.value.sentence


@pytest.mark.parametrize("name", EXPECTED["valid"])
def test_a_rule_that_came_and_went_leaves_the_file_as_it_was(name: str) -> None:
    file = ConfigFile.read(text_of("valid", name))
    added = file.with_rules(with_rule(file.rules, OURS, SERVICE))
    found = rule_of(read_ingress(*ingress_of(added)), OURS)
    assert found is not None and found.service == SERVICE
    removed = added.with_rules(without_rule(added.rules, OURS))
    assert removed.values == file.values
    assert removed.text == file.text or "[" in file.text


COMMENTED = """# the tunnel of the office
tunnel: norn
ingress:
  # the shop
  - hostname: shop.example.com
    service: http://localhost:1   # behind caddy

  # everything else
  - service: http_status:404
"""


def test_comments_and_layout_of_others_stay() -> None:
    file = ConfigFile.read(COMMENTED)
    added = file.with_rules(with_rule(file.rules, OURS, SERVICE))
    ours = f"  - hostname: {OURS}\n    service: {SERVICE}\n"
    assert added.text == COMMENTED.replace("  # everything else", f"{ours}  # everything else")


@pytest.mark.parametrize(
    ("text", "rules"), [("tunnel: norn\n", 2), ("tunnel: norn\ningress:\n", 2), ("", 2), ("tunnel: norn", 2)]
)
def test_a_file_without_rules_gets_the_rule_and_a_catch_all(text: str, rules: int) -> None:
    file = ConfigFile.read(text)
    assert len(file.with_rules(with_rule(file.rules, OURS, SERVICE)).rules) == rules


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ingress: [\n", "config.yaml is no YAML in line"),
        ("tunnel: a\ntunnel: b\n", "the key 'tunnel' is there twice"),
        ("- a\n", "config.yaml is not a mapping of fields"),
        ("ingress: {service: x}\n", "ingress is not a list of rules"),
        ("ingress: [x]\n", "rule 1 is not a mapping"),
        ("ingress: [{service: [x]}]\n", "rule 1: service is not a text"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(TunnelFailed) as refused:
        ConfigFile.read(text)
    assert sentence in refused.value.sentence
