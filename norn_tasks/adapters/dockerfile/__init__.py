"""Reads a Dockerfile before it is built: it is an attacker's text (security.md 4).

`text` answers it as it is built, without a frontend of its own; `instructions` reads it as the builders do; `sources`
says which images a build would take from outside, and refuses addresses that are not the app's to fetch from.
"""

from norn_tasks.adapters.dockerfile.sources import outside_images, require_public
from norn_tasks.adapters.dockerfile.text import Recipe, read, recipe

__all__ = ["Recipe", "outside_images", "read", "recipe", "require_public"]
