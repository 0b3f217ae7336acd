"""Checks that containers of runs can connect to other apps, but not to the metadata address of a cloud."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface

from sqlalchemy import text

from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import runs_reach
from norn_tasks.store.status.health import CheckStatus, HealthCheck

CLOSE_METADATA = "sudo deploy/prepare metadata in a checkout of Norn on that machine; docs/security.md has the rule"
CLOSE_IO_URING = "sysctl kernel.io_uring_disabled=2 on its machine (Linux 6.6 or later), or Docker 25.0 or later"
LOWER_PORTS = "sysctl net.ipv4.ip_unprivileged_port_start=80 on its machine, or a port of the app above 1023"
OTHER_PORT = "another program, or another Norn on this engine, has the port: let the app use another one"

_ERRORS = text("""
SELECT d.app, d.runs_error AS error, coalesce(l.spec #>> '{hosts,internal}', d.app) AS host, l.spec ->> 'port' AS port
  FROM addresses d JOIN live_releases l ON l.app = d.app
 WHERE d.runs_error IS NOT NULL AND (CAST(:reach AS text[]) IS NULL OR d.app = ANY(CAST(:reach AS text[])))
 ORDER BY d.app LIMIT 20""")


def checks(tx: Tx, within: Reach) -> Iterator[HealthCheck]:
    """Yields a check of the metadata address, and one per problem: io_uring, a firewall, an app out of reach."""
    known = runs_reach.known(tx)
    yield _metadata([each.metadata for each in known])
    if any(each.io_uring for each in known):
        sentence = (
            "containers may use io_uring; programs have escaped from containers through its defects in the kernel"
        )
        yield HealthCheck("io-uring", CheckStatus.WARN, sentence, CLOSE_IO_URING)
    for each in known:
        if each.home and each.host is False and each.address is not None:
            sentence = "cron runs and calls reach no other app: a firewall keeps them from the router"
            network = IPv4Interface(each.address).network
            yield HealthCheck("reach", CheckStatus.WARN, sentence, f"allow connections from {network} to this machine")
    for row in tx.execute(_ERRORS, {"reach": None if within is None else sorted(within)}):
        sentence = f"cron runs and calls do not reach http://{row.host}:{row.port}: {row.error}"
        yield HealthCheck("reach", CheckStatus.WARN, sentence, _hint(row.error))


def _metadata(reached: list[bool | None]) -> HealthCheck:
    if any(reached):
        sentence = "containers connect to 169.254.169.254, the metadata of a cloud machine"
        return HealthCheck("metadata", CheckStatus.WARN, sentence, CLOSE_METADATA)
    if False in reached:
        return HealthCheck("metadata", CheckStatus.OK, "containers do not reach 169.254.169.254")
    sentence = "it was not tried whether containers reach 169.254.169.254: the image busybox:stable is missing"
    return HealthCheck("metadata", CheckStatus.OK, sentence if reached else "no engine was looked at yet")


def _hint(error: str) -> str:
    return LOWER_PORTS if "by this user" in error else OTHER_PORT
