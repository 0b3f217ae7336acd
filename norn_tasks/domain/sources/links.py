"""Follows symbolic links in a tree that is not on a disk, as a kernel would, including links to other links."""

from __future__ import annotations

from collections.abc import Mapping

_HOPS = 40
"""The largest number of nested links that are followed, as in the kernel (path_resolution(7))."""

_DEEPEST = 128
"""The most parts that a path may have while its links are resolved."""


def leading_out(links: Mapping[str, str]) -> str | None:
    """Returns a link that leads out of the tree's root, or in a circle; None if all stay inside.

    `links` has the path and the target of each link. A link to a missing path inside the tree is allowed.
    """
    following = _Following(links)
    return next((link for link in links if following.place(link) is None), None)


class _Following:
    """Follows each link once, and remembers the result."""

    def __init__(self, links: Mapping[str, str]) -> None:
        self._links = links
        self._places: dict[str, list[str] | None] = {}

    def place(self, link: str, hops: int = 0) -> list[str] | None:
        """Returns the parts of the path that a link leads to; None if it is outside the root."""
        if link not in self._places:
            # marks a link that is being followed; reaching it again means that the links form a circle
            self._places[link] = None
            self._places[link] = self._followed(link, hops)
        return self._places[link]

    def _followed(self, link: str, hops: int) -> list[str] | None:
        target = self._links[link]
        if target.startswith("/") or hops >= _HOPS:
            return None
        here: list[str] | None = link.split("/")[:-1]
        for part in target.split("/"):
            here = self._one(here, part, hops)
            if here is None or len(here) > _DEEPEST:
                return None
        return here

    def _one(self, here: list[str] | None, part: str, hops: int) -> list[str] | None:
        if here is None or part in ("", "."):
            return here
        if part == "..":
            return here[:-1] if here else None
        there = "/".join([*here, part])
        return self.place(there, hops + 1) if there in self._links else [*here, part]
