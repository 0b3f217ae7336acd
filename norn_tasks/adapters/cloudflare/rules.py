"""Changes a tunnel's rules for one app, no matter where the rules are kept.

Before Norn adds a rule, it writes a row that names the rule. So a worker that takes over from a killed worker knows
which rules are Norn's, and can finish the change. A rule that existed before its row belongs to somebody else, and Norn
does not change it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.external_host import ExternalHost, RouteOutcome, RulesLook
from norn_tasks.domain.tunnel.ingress import RawRule
from norn_tasks.domain.tunnel.rules import rule_of_name, with_rule, without_rule
from norn_tasks.ports import ExternalHosts, Stop, Watch, WriteTurn

Edit = Callable[[Sequence[RawRule]], list[RawRule]]


class RuleKeeper(Protocol):
    """Reads and changes a tunnel's rules in the system that keeps them: Cloudflare or a ConfigMap."""

    def read(self, waiting: Waiting) -> list[RawRule]:
        """Returns the tunnel's present rules."""

    def change(self, edit: Edit, waiting: Waiting, *, unfinished: bool) -> bool:
        """Writes the edited rules if they differ from the present ones, and repeats the write until it is confirmed.
        Returns True if it wrote them.

        `unfinished`: an earlier worker may have written the rules and ended before it could do the work that follows a
        write, such as a restart.
        """

    def look(self, known: Sequence[ExternalHost], stop: Stop) -> RulesLook:
        """Compares the rules with the host names in Norn's database."""


@dataclass(frozen=True)
class KeptRules:
    """Implements `ports.Tunnel` on top of a RuleKeeper."""

    keeper: RuleKeeper
    hosts: ExternalHosts

    def route(self, app: str, host: str, service: str, watch: Watch) -> RouteOutcome:
        """Adds a rule that leads the host name to the service, and removes the rules of the app's other names."""
        self.hosts.claim(app, host, watch.fence)
        with self.hosts.turn(watch) as turn:
            return self._changed(app, host, service, watch, turn)

    def unroute(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the rules of all names of the app."""
        self.hosts.release(app, watch.fence)
        if not any(each.service is not None for each in self.hosts.of_app(app)):
            return RouteOutcome(False, "")
        with self.hosts.turn(watch) as turn:
            return self._changed(app, None, "", watch, turn)

    def look(self, stop: Stop) -> RulesLook | None:
        """Compares the rules with the host names in Norn's database."""
        return self.keeper.look(self.hosts.all(), stop)

    def _changed(self, app: str, host: str | None, service: str, watch: Watch, turn: WriteTurn) -> RouteOutcome:
        waiting, known = Waiting(watch.stop, turn.keep), self.hosts.of_app(app)
        going = [each for each in known if each.leaving and each.service is not None]
        mine = next((each for each in known if each.host == host), None)
        if mine is not None and mine.service is None:
            _refuse_foreign(self.keeper.read(waiting), mine.host, service)
        unfinished = any(not each.ruled for each in (*going, *([mine] if mine else [])))
        for each in going:
            self.hosts.save(replace(each, ruled=False), watch.fence)
        if mine is not None:
            self.hosts.save(replace(mine, service=service, ruled=mine.ruled and mine.service == service), watch.fence)
        edit = _edit(mine, service, [each.host for each in going])
        changed = self.keeper.change(edit, waiting, unfinished=unfinished)
        for each in going:
            self.hosts.save(replace(each, service=None, ruled=False), watch.fence)
        if mine is not None:
            self.hosts.save(replace(mine, service=service, ruled=True), watch.fence)
        return RouteOutcome(changed or unfinished, _note(mine, service, going))


def _edit(mine: ExternalHost | None, service: str, going: Sequence[str]) -> Edit:
    def edited(rules: Sequence[RawRule]) -> list[RawRule]:
        kept = list(rules)
        for host in going:
            kept = without_rule(kept, host)
        return with_rule(kept, mine.host, service) if mine is not None else kept

    return edited


def _refuse_foreign(rules: Sequence[RawRule], host: str, service: str) -> None:
    theirs = rule_of_name(rules, host)
    if theirs is not None:
        of_path = f" with the path {theirs['path']}" if theirs.get("path") else ""
        raise TunnelFailed(
            f"the tunnel already has a rule for {host}{of_path}, which Norn did not make: it leads to "
            f"{theirs.get('service')}",
            hint=f"remove that rule, or choose another hosts.external; Norn's would lead to {service}",
        )


def _note(mine: ExternalHost | None, service: str, going: Sequence[ExternalHost]) -> str:
    made = f"{mine.host} leads to {service}" if mine is not None else ""
    removed = f"removed: {', '.join(each.host for each in going)}" if going else ""
    return "; ".join(part for part in (made, removed) if part)
