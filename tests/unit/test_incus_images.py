"""The metadata with which an image is imported into Incus makes each import a different image."""

from __future__ import annotations

import io
import json
import tarfile

from norn_tasks.adapters.incus import rootfs


def properties(described: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(described)) as tar:
        file = tar.extractfile("metadata.yaml")
        assert file is not None
        return dict(json.load(file)["properties"])


def test_two_imports_of_an_image_in_one_second_have_different_names_in_incus() -> None:
    first, second = (properties(rootfs.metadata({"norn.app": "blog"})) for _ in range(2))
    assert (first["norn.app"], second["norn.app"]) == ("blog", "blog")
    assert first[rootfs.IMPORT] != second[rootfs.IMPORT]
