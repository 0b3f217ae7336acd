"""Recognises the kind of project in a directory, and writes a Dockerfile: for node, Python, Go, Ruby, PHP, or static
pages.
"""

from __future__ import annotations

from norn_tasks.domain.starters import go, node, php, python, ruby, static
from norn_tasks.domain.starters.project import IGNORED, Directory, Project
from norn_tasks.domain.starters.reading import read_directory

_LANGUAGES = (python.recognise, go.recognise, ruby.recognise, php.recognise, node.recognise, static.recognise)
"""Node comes after the other languages, because their projects may also have a package.json for their web pages."""


def recognised(directory: Directory) -> Project | None:
    """Returns the project in a directory; None if its kind is not one of the known ones."""
    return next((found for recognise in _LANGUAGES if (found := recognise(directory))), None)


__all__ = ["IGNORED", "Directory", "Project", "read_directory", "recognised"]
