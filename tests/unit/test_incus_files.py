"""The root of an instance: no image can replace Norn's files, and only a limited part of a file is read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

import pytest

from norn_tasks.adapters.incus import rootfs
from norn_tasks.adapters.incus.api import IncusApi
from norn_tasks.adapters.incus.files import Files
from norn_tasks.domain.errors import StepFailed


def exported(*names: str) -> list[bytes]:
    """Returns the export of an image with these files, as an engine sends it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return [made.getvalue()]


class Vast(IncusApi):
    """An Incus whose files are empty; it records which part of each file was requested."""

    def __init__(self) -> None:
        super().__init__("/nowhere", "norn")
        self.asked: list[str | None] = []

    def read(self, path: str, headers: Mapping[str, str], /, **query: str) -> bytes:
        self.asked.append(headers.get("Range"))
        return b""


def test_norns_files_are_before_and_after_those_of_the_image() -> None:
    file = io.BytesIO()
    rootfs.write(file, exported("etc/hostname", "norn/init", "home/.norn/init", ".nornx"), b"init")
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as tar:
        names = tar.getnames()
    assert (names[:3], names[-1]) == ([".norn", ".norn/run", ".norn/init"], ".norn/run/go")


@pytest.mark.parametrize(
    "name", [".norn", ".norn/", ".norn/init", "./.norn/init", "/.norn/run/go", "//.norn", "a/../.norn"]
)
def test_an_image_with_norns_directory_is_refused(name: str) -> None:
    with pytest.raises(StepFailed, match=r"the image has /\.norn"):
        rootfs.write(io.BytesIO(), exported("etc/hostname", name), b"init")


def test_of_a_file_with_numbers_little_is_read() -> None:
    api = Vast()
    files = Files(api, "norn-x-blog")
    assert (files.progress(), files.begun()) == (None, 0)
    assert api.asked == ["bytes=0-255"] * 2
