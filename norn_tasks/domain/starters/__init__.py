"""Recognises the project in a directory, and writes its Dockerfile: node, Python, Go, Ruby, PHP, static pages."""

from __future__ import annotations

from norn_tasks.domain.starters import go, node, php, python, ruby, static
from norn_tasks.domain.starters.project import IGNORED, Directory, Project
from norn_tasks.domain.starters.reading import read_directory

_LANGUAGES = (python.recognise, go.recognise, ruby.recognise, php.recognise, node.recognise, static.recognise)
"""Node is after the others, because their projects have a package.json for their pages, too."""


def recognised(directory: Directory) -> Project | None:
    """Returns the project in a directory; none if it is of no kind that is known here."""
    return next((found for recognise in _LANGUAGES if (found := recognise(directory))), None)


__all__ = ["IGNORED", "Directory", "Project", "read_directory", "recognised"]
