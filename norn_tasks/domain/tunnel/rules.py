"""Changes a tunnel's ingress rules. Rules of other owners stay unchanged, and the catch-all rule stays last.

cloudflared uses the first rule that matches a request. So Norn puts its rule for a name before every rule that matches
all requests for the name, such as a rule for `*.example.com`. Rules for single paths remain before Norn's rule, because
their owner wants them to apply first. If another owner has a rule for exactly this name before Norn has made one, the
name belongs to that owner. Then Norn must not send the other paths of the name to an app.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from norn_tasks.domain.tunnel.ingress import IngressRule, RawRule, read_ingress

CATCH_ALL: Final = {"service": "http_status:404"}
"""The last rule for a tunnel that has no other rules."""


def own_rule(rules: Sequence[RawRule], host: str) -> RawRule | None:
    """Returns the rule for all paths of exactly this name; None if there is none."""
    return next((rule for rule in rules if _is_of(rule, host)), None)


def rule_of_name(rules: Sequence[RawRule], host: str) -> RawRule | None:
    """Returns the first rule of exactly this name, for all paths or for some; None if there is none."""
    return next((rule for rule in rules if _name(rule).lower() == host), None)


def with_rule(rules: Sequence[RawRule], host: str, service: str) -> list[RawRule]:
    """Returns the rules with one that leads the name to the service; an existing rule for the name keeps its other
    options.

    Raises TunnelFailed if cloudflared would refuse the rules; the services in the other rules are not checked here.
    """
    kept = own_rule(rules, host) or {"hostname": host}
    mine = {**kept, "service": service}
    others = without_rule(rules, host) or [CATCH_ALL]
    parsed = read_ingress(others, default_bastion=True)
    place = next(n for n, rule in enumerate(parsed) if not rule.path and rule.takes_host(host))
    changed = [*others[:place], mine, *others[place:]]
    return list(rules) if _same_effect(rules, mine, host) else changed


def without_rule(rules: Sequence[RawRule], host: str) -> list[RawRule]:
    """Returns the rules without the rule for all paths of exactly this name."""
    return [rule for rule in rules if not _is_of(rule, host)]


def fault_of(rules: Sequence[RawRule], host: str, service: str) -> str:
    """Returns the reason why requests for the name do not reach the service; empty if they reach it."""
    mine = own_rule(rules, host)
    if mine is None:
        return "the tunnel has no rule for it"
    if mine.get("service") != service:
        return f"the tunnel's rule leads to {mine.get('service')} and not to {service}"
    if not _same_effect(rules, mine, host):
        return "an earlier rule of the tunnel takes its requests"
    return ""


def _same_effect(rules: Sequence[RawRule], mine: RawRule, host: str) -> bool:
    """Returns True if the rule exists exactly once, unchanged, and no rule before it takes all of its requests."""
    present = [n for n, rule in enumerate(rules) if _is_of(rule, host)]
    if len(present) != 1 or dict(rules[present[0]]) != dict(mine):
        return False
    return not any(_takes_all(rule, host) for rule in rules[: present[0]])


def _takes_all(rule: RawRule, host: str) -> bool:
    return not rule.get("path") and IngressRule(_name(rule), "", "").takes_host(host)


def _is_of(rule: RawRule, host: str) -> bool:
    return _name(rule).lower() == host and not rule.get("path")


def _name(rule: Any) -> str:
    return str(rule.get("hostname") or "")
