"""Reads a Dockerfile before it is built, because an attacker may have written it (docs/security.md 4).

`text` prepares the text for the builder, so that the file cannot choose a frontend (a program that BuildKit downloads
and lets do the build). `instructions` parses the text as the builders do. `sources` lists the images that a build uses,
and refuses addresses from which an app must not download. `references` checks the names of images. `stages` labels the
images that a build leaves behind.
"""

from norn_tasks.adapters.dockerfile.references import is_name_of, is_reference, may_be_an_id
from norn_tasks.adapters.dockerfile.sources import outside_images, require_public
from norn_tasks.adapters.dockerfile.stages import with_stage_labels
from norn_tasks.adapters.dockerfile.text import Recipe, read, recipe

__all__ = [
    "Recipe",
    "is_name_of",
    "is_reference",
    "may_be_an_id",
    "outside_images",
    "read",
    "recipe",
    "require_public",
    "with_stage_labels",
]
