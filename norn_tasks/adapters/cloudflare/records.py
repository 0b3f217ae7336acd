"""Creates DNS records through Cloudflare's API. Each record that Norn creates has a comment with the id of this control
plane; Norn changes no other records.

A host's record is created in the most specific zone that contains the host. If Cloudflare created a record but its
answer was lost, the next run of the step finds the record by its comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from norn_tasks.adapters.cloudflare.client import CloudflareClient, CloudflareRefused, Unanswered
from norn_tasks.adapters.cloudflare.site import TunnelSite, find_tunnel
from norn_tasks.adapters.cloudflare.waiting import Waiting
from norn_tasks.domain.errors import TunnelFailed
from norn_tasks.domain.tunnel.external_host import ExternalHost, RecordsLook, RouteOutcome, TunnelCheck
from norn_tasks.ports import ExternalHosts, Stop, Watch

Record = dict[str, Any]
WANTED, FOREIGN = "wanted", "foreign"
"""Notes in a host name's row. WANTED: Norn is about to create the record. FOREIGN: somebody else's record already
points at the tunnel.
"""
_EXCLUDES: Final = ("A", "AAAA", "CNAME")
"""The types of records that cannot exist beside a CNAME of the same name."""
_EXISTS: Final = frozenset({81053, 81057, 81058})
"""Cloudflare's codes for a record that exists already."""
_GONE: Final = frozenset({81044})
_TRIES, _PAUSE = 4, 0.5


@dataclass(frozen=True)
class ZoneRecords:
    """Implements `ports.Dns` for the zones that the token may use. `instance` is the id of this control plane."""

    client: CloudflareClient
    site: TunnelSite
    hosts: ExternalHosts
    instance: str

    def point(self, app: str, host: str, watch: Watch) -> RouteOutcome:
        """Points the host name at the tunnel, and removes the records of the app's other names."""
        waiting, known = Waiting(watch.stop), self.hosts.of_app(app)
        mine = next((each for each in known if each.host == host and not each.leaving), None)
        if mine is None:
            raise TunnelFailed(f"{host} has no rule at the tunnel yet", hint=f"norn forge {app}")
        target, zone = find_tunnel(self.client, self.site, waiting).target, self._zone_of(host, waiting)
        made = self._pointed(mine, zone, target, watch)
        removed = self._removed([each for each in known if each.leaving], watch)
        return RouteOutcome(made or bool(removed), "; ".join([f"{host} points at the tunnel", *removed]))

    def unpoint(self, app: str, watch: Watch) -> RouteOutcome:
        """Removes the records of all names of the app."""
        self.hosts.release(app, watch.fence)
        notes = self._removed(self.hosts.of_app(app), watch)
        return RouteOutcome(bool(notes), "; ".join(notes))

    def look(self, stop: Stop) -> RecordsLook | None:
        """Checks the record of each host name that has one: it must still exist, be proxied by Cloudflare, and point at
        the tunnel.
        """
        waiting, faults = Waiting(stop), {}
        known = [each for each in self.hosts.all() if each.recorded and not each.leaving]
        try:
            self._verify(waiting)
            target, zones = find_tunnel(self.client, self.site, waiting).target, self._zones(waiting)
            for each in known:
                zone = _longest(zones, each.host)
                seen = self._records(zone, each.host, waiting) if zone is not None else []
                faults[each.host] = _fault(seen, target) if zone is not None else "its zone is not in the account"
        except TunnelFailed as error:
            return RecordsLook((TunnelCheck("dns", False, error.sentence, error.hint),), {})
        names = ", ".join(sorted(zone["name"] for zone in zones)[:5]) or "none"
        good = TunnelCheck("dns", True, f"the API token is good for the zones {names}")
        none = TunnelCheck("dns", False, "the API token reaches no zone", "give it DNS: Edit and Zone: Read of a zone")
        return RecordsLook((good if zones else none,), faults)

    # Making and removing one record

    def _pointed(self, mine: ExternalHost, zone: Record, target: str, watch: Watch) -> bool:
        """Makes or corrects the record; returns True if something was written."""
        waiting, wanted = Waiting(watch.stop), self._wanted(mine, target)
        for left in reversed(range(_TRIES)):
            seen = self._records(zone, mine.host, waiting)
            ours = [each for each in seen if self._is_ours(each)]
            if not ours and (theirs := _excluding(seen, mine.host, target)) is not None:
                self.hosts.save(replace(mine, record=FOREIGN, recorded=True), watch.fence)
                watch.say(f"{theirs['name']} points at the tunnel by a record that Norn did not make\n")
                return False
            if ours and all(ours[0].get(field) == value for field, value in wanted.items()):
                self.hosts.save(replace(mine, record=str(ours[0]["id"]), recorded=True), watch.fence)
                return left < _TRIES - 1 or not mine.recorded
            noted = WANTED if mine.record in (None, FOREIGN) else mine.record
            self.hosts.save(replace(mine, record=noted, recorded=False), watch.fence)
            self._write(zone, ours, wanted, waiting, last=not left)
        raise TunnelFailed(f"the DNS record of {mine.host} changes while Norn writes it", hint="norn forge again")

    def _write(self, zone: Record, ours: list[Record], wanted: Record, waiting: Waiting, *, last: bool) -> None:
        path, what = f"/zones/{zone['id']}/dns_records", f"make the DNS record of {wanted['name']}"
        try:
            if ours:
                self.client.change("PATCH", f"{path}/{ours[0]['id']}", what, waiting, wanted)
            else:
                self.client.change("POST", path, what, waiting, {**wanted, "ttl": 1})
        except Unanswered:
            if last:
                raise
            waiting.pause(_PAUSE)
        except CloudflareRefused as error:
            if last or not error.codes & (_EXISTS | _GONE):
                raise

    def _removed(self, going: Sequence[ExternalHost], watch: Watch) -> list[str]:
        """Removes Norn's records of the host names `going`; returns a note for each name that has a record."""
        waiting, notes = Waiting(watch.stop), []
        going = [each for each in going if each.record is not None]
        zones = self._zones(waiting) if going else []
        for each in going:
            zone = _longest(zones, each.host)
            if each.record == FOREIGN:
                notes.append(f"kept: the record of {each.host}, which Norn did not make")
            elif zone is None:
                notes.append(f"the zone of {each.host} is not in the account; its record is not Norn's to remove")
            else:
                self._delete_ours(zone, each.host, waiting)
                notes.append(f"removed: the record of {each.host}")
            self.hosts.save(replace(each, record=None, recorded=False), watch.fence)
        return notes

    def _delete_ours(self, zone: Record, host: str, waiting: Waiting) -> None:
        for left in reversed(range(_TRIES)):
            ours = [each for each in self._records(zone, host, waiting) if self._is_ours(each)]
            if not ours:
                return
            try:
                path = f"/zones/{zone['id']}/dns_records/{ours[0]['id']}"
                self.client.change("DELETE", path, f"remove the DNS record of {host}", waiting)
            except Unanswered:
                if not left:
                    raise
                waiting.pause(_PAUSE)
            except CloudflareRefused as error:
                if not error.codes & _GONE:
                    raise
        raise TunnelFailed(
            f"something else makes the DNS record of {host} again each time that Norn removes it",
            hint="stop the program that makes it, then run the command again",
        )

    # Reading

    def _verify(self, waiting: Waiting) -> None:
        """Raises TunnelFailed if Cloudflare does not accept the token."""
        path = "/user/tokens/verify"
        try:
            found = self.client.get(path, "check the API token", waiting)
        except CloudflareRefused:
            # The token of an account is verified at another path than the token of a person.
            found = self.client.get(f"/accounts/{self.site.account}/tokens/verify", "check the API token", waiting)
        if found.get("status") != "active":
            raise TunnelFailed(f"the API token is {found.get('status')}", hint="make a new one: docs/tunnel.md")

    def _zones(self, waiting: Waiting) -> list[Record]:
        return list(self.client.pages("/zones", "list the zones", waiting))

    def _zone_of(self, host: str, waiting: Waiting) -> Record:
        zones = self._zones(waiting)
        found = _longest(zones, host)
        if found is None:
            names = ", ".join(sorted(zone["name"] for zone in zones)[:10]) or "none"
            raise TunnelFailed(
                f"{host} is in no zone that the API token reaches: it reaches {names}",
                hint="add the domain to the account, or give the token DNS: Edit and Zone: Read of its zone",
            )
        return found

    def _records(self, zone: Record, host: str, waiting: Waiting) -> list[Record]:
        path, query = f"/zones/{zone['id']}/dns_records", {"name": host}
        found = self.client.pages(path, f"list the DNS records of {host}", waiting, query)
        return [each for each in found if each.get("name") == host]

    def _wanted(self, mine: ExternalHost, target: str) -> Record:
        comment = f"{self._mark} for {mine.app}"
        return {"type": "CNAME", "name": mine.host, "content": target, "proxied": True, "comment": comment}

    @property
    def _mark(self) -> str:
        return f"managed by norn {self.instance}"

    def _is_ours(self, record: Record) -> bool:
        comment = str(record.get("comment") or "")
        return record.get("type") == "CNAME" and (comment == self._mark or comment.startswith(f"{self._mark} "))


def _longest(zones: Sequence[Record], host: str) -> Record | None:
    """Returns the zone with the longest name that contains the host; None if no zone contains it."""
    fitting = (zone for zone in zones if host == zone["name"] or host.endswith(f".{zone['name']}"))
    return max(fitting, key=lambda zone: len(zone["name"]), default=None)


def _excluding(seen: Sequence[Record], host: str, target: str) -> Record | None:
    """Returns the record beside which Norn cannot create a CNAME, if it points at the tunnel already; None if there is
    no such record. Raises TunnelFailed if it points elsewhere.
    """
    theirs = next((each for each in seen if each["type"] in _EXCLUDES), None)
    if theirs is None:
        return None
    if theirs["type"] == "CNAME" and theirs["content"] == target:
        return theirs
    raise TunnelFailed(
        f"{host} already has a DNS record that Norn did not make: {theirs['type']} {theirs['content']}",
        hint="remove that record in Cloudflare's dashboard, or choose another hosts.external",
    )


def _fault(seen: Sequence[Record], target: str) -> str:
    leading = [each for each in seen if each["type"] in _EXCLUDES]
    if not leading:
        return "it has no DNS record"
    if not any(each["type"] == "CNAME" and each["content"] == target for each in leading):
        return f"its DNS record points at {leading[0]['content']} and not at the tunnel"
    return "" if leading[0].get("proxied") else "its DNS record is not proxied, and leads nowhere"
