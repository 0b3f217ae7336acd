"""The checks of the tunnel for `norn doctor`: its token, the tunnel itself, its zones, and host names that are not
routed.
"""

from __future__ import annotations

from collections.abc import Iterator

from norn_tasks.store.apps import external_hosts
from norn_tasks.store.database.pages import Reach
from norn_tasks.store.database.session import Tx
from norn_tasks.store.status.health import CheckStatus, HealthCheck

SILENCE = 300.0
"""Seconds after which the last observation of the tunnel is too old; the scheduler requests one every minute."""


def checks(tx: Tx, *, within: Reach) -> Iterator[HealthCheck]:
    """Yields the findings of the last observation, and the host names that are not routed; nothing if there never was a
    tunnel.
    """
    for check, age in external_hosts.checks(tx):
        if age > SILENCE:
            sentence = f"{check.sentence}; this was observed {age / 60:.0f} min ago and not checked again since"
            yield HealthCheck(check.name, CheckStatus.WARN, sentence, "norn jobs list --kind observe")
        else:
            yield HealthCheck(
                check.name, CheckStatus.OK if check.good else CheckStatus.FAIL, check.sentence, check.hint
            )
    for app, route in external_hosts.unrouted(tx):
        if within is None or app in within:
            sentence = f"{route.host} of {app} is {route.state}" + (f": {route.reason}" if route.reason else "")
            yield HealthCheck("external", CheckStatus.WARN, sentence, f"norn forge {app}")
