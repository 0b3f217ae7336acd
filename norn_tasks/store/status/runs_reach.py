"""Checks of the containers of runs: they should reach other apps, but neither the metadata address of a cloud provider
nor risky features of the kernel (io_uring, AF_VSOCK).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Interface

from sqlalchemy import text

from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.fleet import runs_reach
from norn_tasks.store.status.health import CheckStatus, HealthCheck

CLOSE_METADATA = "sudo deploy/prepare metadata in a checkout of Norn on that machine; docs/security.md has the rule"
CLOSE_VSOCK = "Docker 23.0 or later; on a virtual machine without a vsock device nothing listens there"
CLOSE_IO_URING = "sysctl kernel.io_uring_disabled=2 on its machine (Linux 6.6 or later), or Docker 25.0 or later"
LOWER_PORTS = "sysctl net.ipv4.ip_unprivileged_port_start=80 on its machine, or a port of the app above 1023"
OTHER_PORT = "another program, or another Norn on this engine, has the port: let the app use another one"
NEWER_RUNC = "install the newest containerd.io: CVE-2025-31133, CVE-2025-52565, CVE-2025-52881 need runc 1.2.8 or 1.3.3"

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(.*)")
_MENDED = {(1, 2): 8, (1, 3): 3}
"""For each release series of runc, the first patch version from which no escape is known. Later series have no known
escape; earlier ones do.
"""
_ERRORS = text("""
SELECT d.app, d.runs_error AS error, coalesce(l.spec #>> '{hosts,internal}', d.app) AS host, l.spec ->> 'port' AS port
  FROM addresses d JOIN live_releases l ON l.app = d.app
 WHERE d.runs_error IS NOT NULL AND (CAST(:reach AS text[]) IS NULL OR d.app = ANY(CAST(:reach AS text[])))
 ORDER BY d.app LIMIT 20""")


def checks(tx: Tx, within: Reach) -> Iterator[HealthCheck]:
    """Yields a check of the metadata address and of each version of runc, and one for each problem: io_uring, AF_VSOCK,
    a firewall, or an app that the containers of runs cannot reach.
    """
    known = runs_reach.known(tx)
    yield _metadata([each.metadata for each in known])
    if any(each.io_uring for each in known):
        sentence = (
            "containers may use io_uring; programs have escaped from containers through its defects in the kernel"
        )
        yield HealthCheck("io-uring", CheckStatus.WARN, sentence, CLOSE_IO_URING)
    if any(each.vsock for each in known):
        sentence = "containers may use AF_VSOCK, by which programs connect to the hypervisor of a virtual machine"
        yield HealthCheck("vsock", CheckStatus.WARN, sentence, CLOSE_VSOCK)
    yield from _of_runc(each.runc for each in known if each.runc is not None)
    for each in known:
        if each.home and each.host is False and each.address is not None:
            sentence = "cron runs and calls reach no other app: a firewall keeps them from the router"
            network = IPv4Interface(each.address).network
            yield HealthCheck("reach", CheckStatus.WARN, sentence, f"allow connections from {network} to this machine")
    for row in tx.execute(_ERRORS, {"reach": None if within is None else sorted(within)}):
        sentence = f"cron runs and calls do not reach http://{row.host}:{row.port}: {row.error}"
        yield HealthCheck("reach", CheckStatus.WARN, sentence, _hint(row.error))


def _of_runc(versions: Iterable[str]) -> Iterator[HealthCheck]:
    """Yields a check of each version of runc, the program that starts containers."""
    for version in sorted(set(versions)):
        sentence = f"containers are started by runc {version}"
        if _is_packaged(version):
            sentence += ", a package of a distribution, which fixes defects without a new version number"
            yield HealthCheck("runc", CheckStatus.OK, sentence)
        elif _lets_out(version):
            yield HealthCheck("runc", CheckStatus.WARN, f"{sentence}, from which programs can escape", NEWER_RUNC)
        else:
            yield HealthCheck("runc", CheckStatus.OK, sentence)


def _is_packaged(version: str) -> bool:
    """Returns True for the version of a distribution's package, such as 1.1.5+ds1 or 1.1.12-0ubuntu2."""
    found = _VERSION.match(version)
    return found is not None and bool(found[4]) and not found[4].startswith(("-rc", "+dev", "-dev"))


def _lets_out(version: str) -> bool:
    """Returns True for a version from which programs are known to escape; False for a text that is not a version."""
    found = _VERSION.match(version)
    if found is None:
        return False
    line, patch = (int(found[1]), int(found[2])), int(found[3])
    return patch < _MENDED[line] if line in _MENDED else line < min(_MENDED)


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
