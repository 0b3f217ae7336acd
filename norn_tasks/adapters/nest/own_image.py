"""The image of the nest itself: its Dockerfile, its files, its tag, and how it is built and removed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from functools import cache
from pathlib import Path

from docker import APIClient
from docker.errors import APIError

from norn_tasks.adapters.docker.client import PREFIX, EngineClient
from norn_tasks.domain.errors import Conflict, EngineDown, NotFound, StepFailed

NAME = "norn-nest"
LABEL = f"{PREFIX}nest"
"""The label of the nest's image and container, so that Norn never takes them for an app's image or container."""
BASE = "debian:bookworm-slim"
_PACKAGES = "busybox-static crun iproute2 nftables python3 tini"
_INSTALL = (
    f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {_PACKAGES} && rm -rf /var/lib/apt/lists/*"
)
_HOME = "/usr/lib/norn"
_RECIPE = f"""FROM {BASE}
RUN {_INSTALL}
COPY . {_HOME}
ENV PYTHONPATH={_HOME} PYTHONDONTWRITEBYTECODE=1
CMD ["python3", "-P", "-m", "norn_tasks.adapters.nest.program"]
"""
_PACKAGE = Path(__file__).parents[2]
_PARTS = ("adapters/nest/program", "adapters/docker/inits.py", "adapters/incus/users.py")


def remove_older(engine: EngineClient, tag: str) -> None:
    """Removes images of the nest that earlier versions of Norn built and that no container uses."""

    def remove(client: APIClient) -> None:
        for image in client.images(filters={"label": LABEL}):
            if tag not in (image["RepoTags"] or ()):
                with contextlib.suppress(APIError):
                    client.remove_image(image["Id"])

    with contextlib.suppress(EngineDown, StepFailed, NotFound, Conflict):
        engine.ask(remove)


def build(engine: EngineClient, tag: str) -> None:
    """Builds the image; raises StepFailed or EngineDown."""

    def on(client: APIClient) -> None:
        labels, context = {LABEL: ""}, _context()
        for line in client.build(fileobj=context, custom_context=True, tag=tag, rm=True, decode=True, labels=labels):
            if "error" in line:
                raise StepFailed(f"the image of the nest was not built: {line['error'].strip()}")

    engine.ask(on)


@cache
def image_tag() -> str:
    """Returns the tag of the nest's image, which is computed from its contents."""
    digest = hashlib.sha256(_RECIPE.encode())
    for name, content in _files():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return f"{NAME}:{digest.hexdigest()[:12]}"


def _files() -> list[tuple[str, bytes]]:
    """Returns the Python modules of the nest's program by their paths, which are the same in the image."""
    found = {}
    for part in _PARTS:
        path = _PACKAGE / part
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.suffix in (".py", ".json"):
                found[str(file.relative_to(_PACKAGE.parent))] = file.read_bytes()
    packages = {f"{parent}/__init__.py" for name in found for parent in Path(name).parents if str(parent) != "."}
    return sorted((dict.fromkeys(packages, b"") | found).items())


def _context() -> io.BytesIO:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, content in [("Dockerfile", _RECIPE.encode()), *_files()]:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    context.seek(0)
    return context
