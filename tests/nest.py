"""Nests (containers in which crun starts runs) for tests: on the machine's engine, in a directory of the test."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from norn_tasks.adapters.docker.client import EngineClient
from norn_tasks.adapters.nest.engine import NestEngine
from norn_tasks.adapters.nest.images import NestImages
from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.own_image import BASE, build, image_tag
from norn_tasks.adapters.nest.runtime import NestRuntime


@contextmanager
def made(engine: EngineClient, directory: Path) -> Iterator[NestKeeper]:
    """Makes a nest, and removes it with its volume afterwards."""
    with_base(engine)
    keeper = NestKeeper(engine, f"test-{uuid.uuid4().hex[:8]}", directory)
    try:
        keeper.make()
        yield keeper
    finally:
        keeper.remove()
        keeper.forget_images()


def with_base(engine: EngineClient) -> None:
    """Makes the base image of the nest's image with the program that NORN_TEST_IMAGES names, if the engine lacks the
    image and the variable is set.
    """
    maker = os.environ.get("NORN_TEST_IMAGES")
    if engine.image(BASE) is None and maker:
        ended = subprocess.run([maker, BASE], capture_output=True, text=True, check=False)
        if ended.returncode:
            pytest.fail(f"NORN_TEST_IMAGES did not make {BASE}: {ended.stderr[-1000:]}", pytrace=False)


def with_image(engine: EngineClient) -> str:
    """Returns the tag of the nest's image; builds the image if it is missing."""
    tag = image_tag()
    if engine.image(tag) is None:
        with_base(engine)
        build(engine, tag)
    return tag


def runtime_of(keeper: NestKeeper, engine: EngineClient) -> NestRuntime:
    """Returns the runtime of a nest; its images come from an engine."""
    return NestRuntime(NestEngine(keeper.door), NestImages(engine, keeper.door))
