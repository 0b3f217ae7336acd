"""Creates the nest (the container in which crun starts runs): builds its image and starts its container through the
engine's API, and tests it before use.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.types import LogConfig, Ulimit

from norn_tasks.adapters.docker import networks
from norn_tasks.adapters.docker.client import INSTANCE, EngineClient
from norn_tasks.adapters.nest.door import SOCKET, Door
from norn_tasks.adapters.nest.own_image import LABEL, NAME, build, image_tag, remove_older
from norn_tasks.adapters.nest.trial import tried
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed

CAPABILITIES = (
    "SYS_ADMIN", "NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "CHOWN", "DAC_OVERRIDE", "FOWNER", "MKNOD", "KILL",
    "SYS_CHROOT", "FSETID",
)  # fmt: skip
UNCONFINED = ("seccomp=unconfined", "apparmor=unconfined")
_MEMORY_OF_ROOTS = "rw,nosuid,nodev,mode=700"
_WHY = "why-not"
_STARTS_WITHIN, _ANSWERS_WITHIN, _AGAIN = 20.0, 30.0, 0.5
"""Seconds for the start of a nest; for an answer of a running nest before it is replaced; and between two checks."""


class NestKeeper:
    """Creates and ends the nest of one control plane on one engine. Its socket is in `directory`, on the engine's
    machine.
    """

    def __init__(self, client: EngineClient, instance: str, directory: Path, patience: float = _ANSWERS_WITHIN) -> None:
        self._client, self._directory = client, directory
        self._instance, self._patience = instance, patience
        self.name = f"{NAME}-{instance}" if instance else NAME
        self.volume = f"{self.name}-roots"
        self.door = Door(directory)

    def make(self) -> dict[str, Any]:
        """Returns the facts of the nest; first creates it if it is missing or belongs to another version of Norn.

        Raises StepFailed, EngineDown or NotFound.
        """
        with self._alone():
            if (found := self.trusted()) is not None:
                return found
            self._require_known_engine()
            tag = image_tag()
            # If the engine has restarted a nest that ended, that nest is not created again, but only tested.
            found = self._left_alone() or self._made(tag)
            try:
                tried(self.door, found)
            except (EngineDown, StepFailed, NotFound):
                self.remove()
                raise
            self.door.ask(do="trust")
            self.note("")
            remove_older(self._client, tag)
            return found

    def trusted(self) -> dict[str, Any] | None:
        """Returns the facts of the nest; None if it does not answer, is of another version, or was not tested."""
        found = self._current()
        return found if found is not None and found.get("trusted") else None

    def _require_known_engine(self) -> None:
        """Raises StepFailed if the engine confines containers in a way that the nest does not support."""
        options = self._client.briefly(lambda client: client.info().get("SecurityOptions") or ())
        for word in ("selinux", "rootless"):
            if any(f"name={word}" in each for each in options):
                raise StepFailed(f"the engine uses {word}, which the nest does not support", hint="NORN_NEST=off")

    def _current(self) -> dict[str, Any] | None:
        try:
            found = self.door.look()
        except (EngineDown, StepFailed, NotFound):
            return None
        return found if found["build"] == image_tag() else None

    def _left_alone(self) -> dict[str, Any] | None:
        """Returns the facts of a nest that can be kept; None if there is none, or if it must be replaced.

        A slow nest gets some time to answer, because replacing it would end its runs. Raises StepFailed while a nest of
        another version of Norn has runs; may raise EngineDown.
        """
        until = time.monotonic() + self._patience
        while True:
            try:
                found = self.door.look()
                runs = [] if found["build"] == image_tag() else self.door.ask(do="list")["runs"]
            except (EngineDown, StepFailed, NotFound):
                if time.monotonic() > until or not self.runs():
                    return None
                time.sleep(_AGAIN)
                continue
            if runs:
                what = f"the nest is of another Norn and still has runs: {len(runs)}"
                raise StepFailed(what, hint="it is replaced when they have ended")
            return found if found["build"] == image_tag() else None

    def _made(self, tag: str) -> dict[str, Any]:
        if self._client.image(tag) is None:
            build(self._client, tag)
        self.remove()
        self._start(tag)
        return self._answers(tag)

    def answers(self) -> bool:
        """Returns True if the nest answers."""
        try:
            self.door.look()
        except (EngineDown, StepFailed, NotFound):
            return False
        return True

    def note(self, why: str) -> None:
        """Writes into a file why there is no nest, for `norn doctor`; writes an empty text if there is one."""
        with contextlib.suppress(OSError):
            (self._directory / _WHY).write_text(why)

    def noted(self) -> str:
        """Returns why there is no nest, from the file that a worker has written."""
        try:
            return (self._directory / _WHY).read_text()
        except OSError:
            return ""

    def runs(self) -> bool:
        """Returns True if the engine says that the nest's container is running; raises EngineDown."""
        try:
            found = self._client.briefly(lambda client: client.inspect_container(self.name))
        except NotFound:
            return False
        return bool(found["State"]["Running"])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds a lock, so that only one process of this machine at a time creates the nest."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def remove(self) -> None:
        """Ends the nest and all its runs, if it exists. Raises EngineDown."""
        self._client.take_away(self.name)
        with contextlib.suppress(OSError):
            (self._directory / SOCKET).unlink()

    def put_away(self) -> None:
        """Ends a nest that is no longer wanted, and removes its images; raises EngineDown."""
        if self._directory.exists():
            self.remove()
            self.forget_images()
            shutil.rmtree(self._directory, ignore_errors=True)

    def forget_images(self) -> None:
        """Removes the unpacked images that a removed nest has left; raises EngineDown."""
        with contextlib.suppress(NotFound, Conflict):
            self._client.briefly(lambda client: client.remove_volume(self.volume))

    def _start(self, tag: str) -> None:
        network = networks.ensure(self._client, networks.RUNS, talk=False)

        def start(client: APIClient) -> None:
            client.create_volume(self.volume, labels={INSTANCE: self._instance})
            made = client.create_container(**self._description(client, tag, network["Name"]))["Id"]
            client.start(made)

        try:
            self._client.ask(start)
        except Conflict:
            return  # another worker is just creating it

    def _description(self, client: APIClient, tag: str, network: str) -> dict[str, Any]:
        host = client.create_host_config(
            cap_drop=["ALL"],
            cap_add=list(CAPABILITIES),
            security_opt=list(UNCONFINED),
            # With version 2 of cgroups, the kernel stores each list of permitted devices as a program, which counts as
            # locked memory.
            ulimits=[Ulimit(name="memlock", soft=-1, hard=-1)] if client.info().get("CgroupVersion") == "2" else None,
            restart_policy={"Name": "always"},
            network_mode=network,
            binds=[f"{self._directory}:/door", f"{self.volume}:/r"],
            tmpfs={"/run": _MEMORY_OF_ROOTS},
            log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
        )
        host |= {"MaskedPaths": [], "ReadonlyPaths": []}  # otherwise no sandbox could mount its own /proc and /sys
        environment = {"NEST_OWNER": str(os.getuid()), "NEST_BUILD": tag}
        labels = {LABEL: "", INSTANCE: self._instance}
        return {
            "name": self.name, "image": tag, "environment": environment, "labels": labels, "host_config": host,
        }  # fmt: skip

    def _answers(self, tag: str) -> dict[str, Any]:
        until = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                found = self.door.look()
                if found["build"] == tag:
                    return found
            except EngineDown:
                pass
            if time.monotonic() > until:
                what = f"the nest does not answer in {self._directory}: {self._said()}"
                raise StepFailed(what, hint=f"docker logs {self.name}")
            time.sleep(0.05)

    def _said(self) -> str:
        with contextlib.suppress(EngineDown, NotFound, StepFailed):
            lines = self._client.briefly(lambda client: client.logs(self.name, tail=3)).decode("utf-8", "replace")
            return " ".join(lines.split()) or "its log is empty"
        return "it has no container"
