"""The images of a nest (the container in which crun starts runs): copied once, kept while a run uses them, with user
ids that no account of the machine has.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest

from norn_tasks.adapters.nest.door import Door
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.program import frames
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.adapters.nest.program.requests import Requests
from norn_tasks.adapters.nest.program.roots.images import NestImageStore
from norn_tasks.adapters.nest.program.roots.unpack import shifted
from norn_tasks.adapters.nest.program.run import Means
from norn_tasks.adapters.nest.program.runs import Runs
from norn_tasks.adapters.nest.program.sandbox import FIRST_ID, IDS
from norn_tasks.domain.errors import StepFailed
from tests.fakes.nest import NoContainers, served


def test_a_refusal_in_the_middle_of_an_image_is_heard_and_remembered(tmp_path: Path) -> None:
    def answer(link: Link) -> None:
        link.line()
        link.send(frames.STARTED, {})
        link.input.read(1 << 20)
        link.send(frames.REFUSED, {"word": "failed", "said": "a layer could not be unpacked"})

    served(tmp_path, answer)
    client = NoContainers()
    images = NestImages(client, Door(tmp_path))
    for said in ("a layer could not be unpacked", "a short time ago"):
        with pytest.raises(StepFailed, match=said):
            images.bring("sha256:1", "a")
    assert client.saved == 1


def test_a_prune_leaves_the_images_of_runs() -> None:
    class Images:
        """Images that all exist; it records which are kept."""

        def __init__(self) -> None:
            self.kept: set[str] = set()

        def ready(self, image: str) -> tuple[dict[str, Any], str]:
            return {}, ""

        def prune(self, app: str, keep: set[str]) -> int:
            self.kept = keep
            return 0

    images = cast(NestImageStore, Images())
    runs = Runs(images, cast(Means, None))
    runs.reserve({"name": "r", "owner": "o", "app": "a", "image": "old", "fence": 1, "outlives": True}, b"")
    ours, theirs = socket.socketpair()
    ours.sendall(b'{"do": "prune", "app": "a", "keep": ["new"]}\n')
    Requests(runs, images).serve(theirs)
    assert cast(Images, images).kept == {"new", "old"}


@pytest.mark.parametrize("number", [-FIRST_ID, -1, IDS, 2**40])
def test_no_number_of_an_archive_is_that_of_a_user_of_the_machine(number: int) -> None:
    assert FIRST_ID <= shifted(number) < FIRST_ID + IDS
