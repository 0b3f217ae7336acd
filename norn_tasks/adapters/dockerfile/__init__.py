"""Reads a Dockerfile before it is built, because it may be an attacker's text (docs/security.md 4).

`text` returns the text that is built, which can choose no frontend; `instructions` reads it as the builders do;
`sources` lists the images that a build takes from outside, and refuses addresses from which an app must not fetch;
`references` checks the names of images; `stages` labels the images that a build leaves.
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
