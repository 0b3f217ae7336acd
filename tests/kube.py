"""The real Kubernetes cluster of the tests, started by the program that NORN_TEST_CLUSTER names.

The program has the commands `up` (does nothing if the cluster runs), `env` (prints the exports for clients), `load
IMAGE` and `kubeconfig NAMESPACE ACCOUNT` (prints a kubeconfig of a ServiceAccount). Without the variable, the tests
that need the cluster are skipped, and their reason names the variable.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = "NORN_TEST_CLUSTER"
REASON = f"needs a Kubernetes cluster: name the program that starts one in {PROGRAM}, docs/kubernetes.md says how"

RBAC = Path(__file__).parents[1] / "deploy" / "kubernetes" / "rbac.yaml"


class KubeKit:
    """A running cluster."""

    def __init__(self, program: str) -> None:
        self._program = program
        with _alone():
            self._run("up")
            self._run("load", "busybox:stable")
        self.environment = _exports(self._run("env"))

    def kubectl(self, *argv: str, check: bool = True) -> str:
        """Runs kubectl as the administrator; returns what it prints."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            ["kubectl", *argv], env=environment, check=check, capture_output=True, text=True, timeout=120
        )
        return done.stdout

    def objects(self, namespace: str, kinds: str, selector: str = "") -> list[dict[str, Any]]:
        """Lists objects of a namespace."""
        chosen = ("-l", selector) if selector else ()
        listed = json.loads(self.kubectl("-n", namespace, "get", kinds, *chosen, "-o", "json"))
        return list(listed["items"])

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """Makes a namespace, and removes it with all its objects."""
        self.kubectl("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", check=False)

    def of_norn(self, namespace: str, file: Path) -> Path:
        """Gives Norn's ServiceAccount the rights that Norn ships, and writes its kubeconfig."""
        self.kubectl("-n", namespace, "apply", "-f", str(RBAC))
        file.write_text(self._run("kubeconfig", namespace, "norn"))
        return file

    def _run(self, *argv: str) -> str:
        done = subprocess.run([self._program, *argv], capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, f"{self._program} {' '.join(argv)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


def started() -> KubeKit:
    """Starts the cluster that the variable names; skips the test without one."""
    program = os.environ.get(PROGRAM)
    if not program:
        pytest.skip(REASON)
    return KubeKit(program)


@contextmanager
def _alone() -> Iterator[None]:
    """Lets only one process of the tests start the cluster at a time."""
    with (Path(tempfile.gettempdir()) / "norn-test-cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _exports(text: str) -> dict[str, str]:
    """Parses lines of `export NAME=VALUE NAME=VALUE`; in a value, `$PATH` becomes the PATH of this process."""
    words = [word for line in text.splitlines() for word in shlex.split(line) if "=" in word]
    found = dict(word.split("=", 1) for word in words)
    return {name: value.replace("$PATH", os.environ["PATH"]) for name, value in found.items()}
