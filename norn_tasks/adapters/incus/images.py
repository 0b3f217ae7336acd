"""The images of runs on Incus. Each is copied once from the Docker engine, tested, and then found by its alias.

If Incus is killed while it unpacks an image, it may keep an incomplete image and use it for every later instance. So an
image gets its alias only after a test: a new instance must contain the image's last file. Images without an alias are
not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.incus import rootfs
from norn_tasks.adapters.incus.api import IncusApi, again
from norn_tasks.adapters.incus.files import DIRECTORY
from norn_tasks.adapters.incus.users import User, resolved
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, ReleaseGone, StepFailed
from norn_tasks.ports import Stop

INIT = Path(__file__).parent / "init" / "norn-init"
"""The program that is the first process of instances. deploy/prepare builds it beside its source."""
_CHUNK = 1024 * 1024
_MADE = b"2"
"""The version of the procedure that creates images. It is part of their aliases, so that images of older procedures are
not used.
"""
_REMEMBERED = 1000
FACTS, APP, INSTANCE, IMAGE = "norn.facts", "norn.app", "norn.instance", "norn.image"
"""The properties of an image in Incus."""
_USER = "user"
_TRIAL_OF, _TRIAL_BY = "user.norn.trial", "user.norn.control-plane"
"""The labels of an instance in which an image is tested."""
_STALE = 600.0
"""Seconds after which an import that has not ended counts as interrupted."""


@dataclass(frozen=True)
class ImageFacts:
    """The parts of an image's configuration that its runs use, and the image's name in Incus."""

    alias: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    directory: str
    volumes: tuple[str, ...]
    user: User


class IncusImages:
    """Copies images from a Docker engine to an Incus; `init` is the program that becomes the first process of their
    instances.
    """

    def __init__(
        self,
        api: IncusApi,
        docker: EngineClient,
        init: Path | None,
        *,
        pool: str,
        instance: str,
        workspace: Path | None,
    ) -> None:
        self._api, self._docker, self._init = api, docker, init or INIT
        self._pool, self._instance, self._workspace = pool, instance, workspace
        self._known: dict[str, ImageFacts] = {}

    def ready(self, image: str, app: str, stop: Stop) -> ImageFacts:
        """Returns the facts of an image, and copies it to Incus if necessary. Raises ReleaseGone or StepFailed."""
        known = self._known.get(image)
        if known is None:
            known = self._api.promptly(lambda: self._found(image, app, stop), stop)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if "sha256:" in image:
                self._known[image] = known
        return known

    def forget(self, image: str) -> None:
        """Forgets the facts of an image, so that Incus is asked again the next time."""
        self._known.pop(image, None)

    def discard(self, facts: ImageFacts) -> None:
        """Removes an image from which an incomplete instance was made; the next run copies it again."""
        self._known = {name: each for name, each in self._known.items() if each.alias != facts.alias}
        with contextlib.suppress(NotFound):
            target = self._api.get(f"/1.0/images/aliases/{facts.alias}")["target"]
            self._api.change("DELETE", f"/1.0/images/{target}")

    def prune(self, app: str, keep: Iterable[str]) -> int:
        """Removes the app's images except those with these ids, and the remains of interrupted imports; returns how
        many images it removed.
        """
        self._remove_trials(app)
        kept, gone = {self._alias(each) for each in keep}, 0
        for image in self._api.get("/1.0/images", recursion="1"):
            properties = image.get("properties") or {}
            aliases = {each["name"] for each in image.get("aliases") or ()}
            mine = (properties.get(APP), properties.get(INSTANCE, "")) == (app, self._instance)
            if mine and (aliases or _is_old(image["uploaded_at"])) and not aliases & kept:
                with contextlib.suppress(NotFound):
                    self._api.change("DELETE", f"/1.0/images/{image['fingerprint']}")
                    gone += 1
        return gone

    def _remove_trials(self, app: str) -> None:
        """Removes the instances left behind by interrupted tests of the app's images."""
        for each in self._api.get("/1.0/instances", recursion="1"):
            config = each["config"]
            mine = (config.get(_TRIAL_OF), config.get(_TRIAL_BY, "")) == (app, self._instance)
            if mine and _is_old(each["created_at"]):
                with contextlib.suppress(NotFound):
                    self._api.change("DELETE", f"/1.0/instances/{each['name']}")

    def _found(self, image: str, app: str, stop: Stop) -> ImageFacts:
        if "sha256:" in image:
            facts = self._imported(self._alias(image))
            if facts is not None:
                return facts
        inspected = self._docker.image(image)
        if inspected is None:
            what = f"the image {image} of {app} is no longer on this engine"
            raise ReleaseGone(what, hint=f"norn deploy {app}")
        alias = self._alias(str(inspected["Id"]))
        return self._imported(alias) or self._bring(str(inspected["Id"]), inspected.get("Config") or {}, alias, app)

    def _alias(self, image: str) -> str:
        """Returns the alias of an image. It contains a hash of the init, so that after a change of the init every image
        is imported again.
        """
        made = hashlib.sha256(_MADE + self._program()).hexdigest()[:8]
        return f"norn-{image.removeprefix('sha256:')[:32]}-{made}"

    def _program(self) -> bytes:
        try:
            return self._init.read_bytes()
        except OSError as error:
            raise EngineDown(
                f"Norn's first process of instances is not at {self._init}: {error.strerror}",
                hint="run deploy/prepare on a machine with a C compiler, or set NORN_INCUS_INIT to the program's path",
            ) from error

    def _imported(self, alias: str) -> ImageFacts | None:
        try:
            target = self._api.get(f"/1.0/images/aliases/{quote(alias, safe='')}")["target"]
            facts = json.loads(self._api.get(f"/1.0/images/{target}")["properties"][FACTS])
        except NotFound:
            return None
        stored = facts.pop(_USER)
        user = User(**stored | {"groups": tuple(stored["groups"])})
        lists = {name: tuple(facts[name]) for name in ("argv", "env", "volumes")}
        return ImageFacts(**facts | lists | {"alias": alias, "user": user})

    def _bring(self, image: str, config: dict[str, Any], alias: str, app: str) -> ImageFacts:
        with tempfile.TemporaryFile(dir=self._workspace) as file:
            users = rootfs.write(file, self._exported(image), self._program())
            facts = _facts(config, users, alias)
            kept = {key: value for key, value in asdict(facts).items() if key != "alias"}
            properties = {FACTS: json.dumps(kept), APP: app, INSTANCE: self._instance, IMAGE: image}
            fingerprint = self._upload(rootfs.metadata(properties), file)
        self._try(fingerprint, app)
        try:
            self._api.change("POST", "/1.0/images/aliases", {"name": alias, "target": fingerprint})
        except Conflict:  # another worker has created it first
            self._api.change("DELETE", f"/1.0/images/{fingerprint}")
        return facts

    def _exported(self, image: str) -> Iterator[bytes]:
        made = self._docker.ask(lambda client: client.create_container(image, ["-"], network_disabled=True)["Id"])
        try:
            yield from self._docker.ask(lambda client: client.export(made, chunk_size=_CHUNK))
        finally:
            self._docker.take_away(made)

    def _upload(self, described: bytes, file: IO[bytes]) -> str:
        border = uuid.uuid4().hex
        file.seek(0)

        def parts() -> Iterator[bytes]:
            yield _part(border, "metadata") + described + b"\r\n" + _part(border, "rootfs")
            while piece := file.read(_CHUNK):
                yield piece
            yield f"\r\n--{border}--\r\n".encode()

        headers = {"Content-Type": f"multipart/form-data; boundary={border}"}
        return str(self._api.upload("/1.0/images", parts(), headers)["fingerprint"])

    def _try(self, fingerprint: str, app: str) -> None:
        """Creates an instance, for which Incus unpacks the image, and removes the instance again. If the image's last
        file is missing in it, removes the image and raises StepFailed.
        """
        name = f"norn-try-{uuid.uuid4().hex[:12]}"
        root = {"root": {"type": "disk", "path": "/", "pool": self._pool}}
        source = {"type": "image", "fingerprint": fingerprint}
        document = {"name": name, "type": "container", "source": source, "profiles": [], "devices": root}
        config = {"boot.autostart": "false", _TRIAL_OF: app, _TRIAL_BY: self._instance}
        self._api.change("POST", "/1.0/instances", document | {"config": config})
        try:
            self._api.read(f"/1.0/instances/{name}/files", {}, path=f"{DIRECTORY}/go")
        except NotFound as error:
            self._api.change("DELETE", f"/1.0/images/{fingerprint}")
            raise StepFailed("Incus did not unpack the whole image", hint="run it again") from error
        finally:
            again(lambda: self._api.change("DELETE", f"/1.0/instances/{name}"), 10)


def _is_old(since: str) -> bool:
    return (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds() > _STALE


def _part(border: str, name: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}.tar"'
    return f"--{border}\r\n{disposition}\r\nContent-Type: application/octet-stream\r\n\r\n".encode()


def _facts(config: dict[str, Any], users: dict[str, str], alias: str) -> ImageFacts:
    named = str(config.get("User") or "")
    user = resolved(named, users["passwd"], users["group"])
    if user is None:
        raise StepFailed(
            f"the image's USER {named} is not in its /etc/passwd or /etc/group", hint="change USER in the Dockerfile"
        )
    return ImageFacts(
        alias=alias,
        argv=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        env=tuple(config.get("Env") or ()),
        directory=str(config.get("WorkingDir") or "/"),
        volumes=tuple(config.get("Volumes") or ()),
        user=user,
    )
