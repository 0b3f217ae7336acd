"""Ingress rules in cloudflared's grammar: parses them, and finds the rule that applies to a request.

Norn refuses rules that cloudflared would refuse, because cloudflared could not start with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import re2

from norn_tasks.domain.errors import TunnelFailed

RawRule = Mapping[str, Any]
"""A rule in the form that JSON or YAML has, including fields that Norn does not know."""
NO_RULES: Final = "there are no ingress rules"
_WORDS: Final = ("hello_world", "hello-world", "helloworld", "bastion", "socks-proxy")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class IngressRule:
    """A rule: requests for `hostname` and `path` go to `service`; an empty `hostname` or `path` matches everything."""

    hostname: str
    path: str
    service: str

    @property
    def catches_all(self) -> bool:
        """True if every request matches."""
        return self.hostname in ("", "*") and not self.path

    def matches(self, host: str, path: str = "/") -> bool:
        """Returns True if the rule matches a request."""
        return self.takes_host(host) and (not self.path or re2.search(self.path, path) is not None)

    def takes_host(self, host: str) -> bool:
        """Returns True if the rule matches requests for this name, even if only for some of its paths."""
        if self.hostname in ("", "*"):
            return True
        names = (self.hostname, _ascii(self.hostname))
        return any(name == host or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


def read_ingress(rules: Any, default_bastion: bool = False) -> tuple[IngressRule, ...]:
    """Returns the rules; raises TunnelFailed with the mistake for which cloudflared would refuse them."""
    if rules is None or rules == []:
        raise _invalid(NO_RULES)
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise _invalid("ingress is not a list of rules")
    return tuple(_read(rule, n, len(rules), default_bastion) for n, rule in enumerate(rules, 1))


def rule_of(rules: Sequence[IngressRule], host: str, path: str = "/") -> IngressRule | None:
    """Returns the rule that applies to a request: the first one that matches; None if no rule does."""
    return next((rule for rule in rules if rule.matches(host, path)), None)


def _read(rule: Any, n: int, count: int, default_bastion: bool) -> IngressRule:
    if not isinstance(rule, Mapping):
        raise _invalid(f"rule {n} is not a mapping with hostname, path and service")
    found = IngressRule(*(_text(rule, field, n) for field in ("hostname", "path", "service")))
    options = rule.get("originRequest") or {}
    if not isinstance(options, Mapping):
        raise _invalid(f"rule {n}: originRequest is not a mapping")
    _check_service(found.service, n, bastion=bool(options.get("bastionMode", default_bastion)))
    _check_access(options.get("access") or {}, n)
    _check_hostname(found, n, count)
    _check_path(found.path, n)
    return found


def _text(rule: RawRule, field: str, n: int) -> str:
    value = rule.get(field)
    if value is None:
        return ""
    if isinstance(value, (Mapping, list)):
        raise _invalid(f"rule {n}: {field} is not a text")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_service(service: str, n: int, *, bastion: bool) -> None:
    if service.startswith(("unix:", "unix+tls:")) or service in _WORDS or bastion:
        return
    if service.startswith("http_status:"):
        number = service.removeprefix("http_status:")
        if not re.fullmatch(r"[+-]?[0-9]+", number) or not 100 <= int(number) <= 999:
            raise _invalid(f"rule {n}: {service} names no HTTP status from 100 to 999")
        return
    parts = _address(service)
    if parts is None or not parts.hostname:
        raise _invalid(f"rule {n}: {service or 'an empty service'} is no address with a scheme and a host name")
    if parts.path:
        raise _invalid(f"rule {n}: {service} has a path; the origin gets the path of the request")


def _address(service: str) -> SplitResult | None:
    """Returns the parts of an address; None if Go's URL parser would refuse it, or would find no scheme in it."""
    scheme, colon, rest = service.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme) or not rest.startswith("//") or _CONTROL.search(service):
        return None
    try:
        parts = urlsplit(service)
        _ = parts.port  # raises if the port is not a number
    except ValueError:
        return None
    return None if re.search(r"[ <>\"]", parts.netloc) else parts


def _check_access(access: Any, n: int) -> None:
    if isinstance(access, Mapping) and access.get("required") and access.get("audTag") and not access.get("teamName"):
        raise _invalid(f"rule {n}: access has audTag and no teamName")


def _check_hostname(rule: IngressRule, n: int, count: int) -> None:
    name = rule.hostname
    if re.fullmatch(r"[^:\[\]]*:[^:\[\]]*|\[[^\[\]]*\]:[^:\[\]]*", name):
        raise _invalid(f"rule {n}: the hostname {name} has a port")
    if name.rfind("*") > 0:
        raise _invalid(f"rule {n}: the hostname {name} has a wildcard elsewhere than at its beginning")
    if n == count and not rule.catches_all:
        raise _invalid("the last rule does not match every request: it has a hostname or a path")
    if n < count and rule.catches_all:
        raise _invalid(f"rule {n} matches every request, so that the rules after it get none")


def _check_path(path: str, n: int) -> None:
    if not path:
        return
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(path, options)
    except re2.error as error:
        raise _invalid(f"rule {n}: the path {path} is no regular expression: {_said(error)}") from error


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else error
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _ascii(hostname: str) -> str:
    try:
        return hostname.encode("idna").decode("ascii") if not hostname.isascii() else hostname
    except UnicodeError:
        return hostname


def _invalid(sentence: str) -> TunnelFailed:
    return TunnelFailed(
        f"the tunnel's ingress rules are not valid: {sentence}", hint="correct them first: docs/tunnel.md"
    )
