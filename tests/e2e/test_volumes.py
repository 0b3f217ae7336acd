"""A volume from the first run to the purge: runs share it, teardown keeps it and reports that; a path of the host is
refused.
"""

from __future__ import annotations

import docker

from tests.e2e import apps
from tests.e2e.refusals import norn
from tests.e2e.stack import Stack

COUNTS = 'FROM busybox:stable\nCMD ["sh", "-c", "echo x >> /data/calls; wc -l < /data/calls"]\n'
VOLUME = "volumes: [{name: data, mountPath: /data, size: 1g}]\n"


def test_a_volume_outlives_runs_and_teardown_and_not_the_purge(stack: Stack) -> None:
    apps.deploy_function(stack, "counts", COUNTS, VOLUME)
    assert [stack.norn("invoke", "counts").stdout for _ in range(2)] == [b"1\n", b"2\n"]
    kept = stack.norn("teardown", "counts", "--confirm", "counts").stderr
    assert b"kept: data; --purge removes them" in kept
    stack.norn("forge", "counts")
    stack.norn("deploy", "counts")
    assert stack.norn("invoke", "counts").stdout == b"3\n"
    purged = stack.norn("teardown", "counts", "--purge", "--confirm", "counts").stderr
    assert b"removed: data" in purged
    assert b"remove-images" in purged
    name = stack.rows("SELECT name FROM instance")[0]["name"]
    engine = docker.from_env()
    assert engine.images.list(filters={"label": ["norn.io/app=counts", f"norn.io/instance={name}"]}) == []
    engine.close()


def test_a_directory_of_the_host_that_nobody_allowed_is_refused_at_once(stack: Stack) -> None:
    apps.add_function(stack, "curious", more="volumes: [{name: etc, mountPath: /data, hostPath: /etc/ssl}]\n")
    told = str(norn(stack, "forge", "curious"))
    assert "volumes.etc.hostPath: /etc/ssl is not a directory that may be mounted" in told
    assert "NORN_HOST_PATHS" in told
