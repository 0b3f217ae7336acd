"""The source of a deploy, as its request names it: a repository, an upload, a directory or an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class GitSource:
    """A repository."""

    url: str
    """Its address."""
    ref: str
    """The branch, tag or commit to check out."""
    source: Literal["git"] = "git"
    """Marks this kind of source."""


@dataclass(frozen=True)
class UploadSource:
    """A directory that was uploaded to Norn."""

    revision: str
    """The hash of its files."""
    ref: None = None
    """Uploads have no refs."""
    source: Literal["upload"] = "upload"
    """Marks this kind of source."""


@dataclass(frozen=True)
class DirectorySource:
    """A directory on the machine of the workers."""

    origin: str
    """Its path."""
    ref: None = None
    """Directories have no refs."""
    source: Literal["directory"] = "directory"
    """Marks this kind of source."""


@dataclass(frozen=True)
class ImageSource:
    """An image of a registry."""

    ref: str
    """Its reference, by tag or digest, as the infraspec or the deploy wrote it."""
    source: Literal["image"] = "image"
    """Marks this kind of source."""


Source = Annotated[GitSource | UploadSource | DirectorySource | ImageSource, Field(discriminator="source")]
"""The source from which a deploy gets its code; the fields of the source are keys of the request."""
