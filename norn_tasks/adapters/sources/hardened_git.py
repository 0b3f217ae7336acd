"""Calls git without hooks, without prompts, without the configuration of the system or of a user, and only with
permitted protocols (docs/security.md 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from norn_tasks.adapters.processes.lines import with_ends
from norn_tasks.adapters.processes.process import Command, Completed, base_environment, run
from norn_tasks.ports import Say, Watch

_CONFIG = (
    "protocol.allow=never",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=true",
    "core.askPass=",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    # Everything that is fetched goes into one pack file, so that its growth can be watched.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=30",
    "advice.detachedHead=false",
)
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_SSH_VARIANT": "ssh",
}


@dataclass(frozen=True)
class HardenedGit:
    """Calls git on a repository that belongs to Norn, at `git_dir`."""

    git_dir: Path
    watch: Watch
    config: tuple[str, ...] = ()
    ssh: str = "ssh -oBatchMode=yes"
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables from which git gets user and password (see `askpass`)."""

    def call(
        self,
        words: Sequence[str],
        timeout: float,
        *,
        work_tree: Path | None = None,
        hear: Say | None = None,
        check: Callable[[], None] | None = None,
    ) -> Completed:
        """Runs `git <words>` on the repository. Lines of stderr are passed to `watch.say`, and lines of stdout to
        `hear`.
        """
        argv = ["git", *(word for each in (*_CONFIG, *self.config) for word in ("-c", each))]
        argv += [f"--git-dir={self.git_dir}", *([f"--work-tree={work_tree}"] if work_tree is not None else [])]
        env = base_environment() | _ENVIRONMENT | {"GIT_SSH_COMMAND": self.ssh, **self.login}
        return run(
            Command(
                "git",
                [*argv, *words],
                env,
                timeout,
                with_ends(self.watch.say),
                self.watch.stop,
                cwd=work_tree,
                hear=hear,
                check=check,
            )
        )

    def make(self, timeout: float) -> None:
        """Makes the empty repository."""
        self.call(["init", "--quiet", "--template="], timeout)
