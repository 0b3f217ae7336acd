"""Recognises static pages."""

from __future__ import annotations

from norn_tasks.domain.starters.project import PORT, Directory, Project, lines


def recognise(found: Directory) -> Project | None:
    """Returns the pages if there is an index.html."""
    by = found.first("index.html", "public/index.html", "dist/index.html", "site/index.html")
    if not by:
        return None
    folder = by.rpartition("/")[0] or "."
    text = lines("FROM busybox:stable", f"COPY {folder} /www", f'CMD ["httpd", "-f", "-p", "{PORT}", "-h", "/www"]')
    return Project("static pages", by, text, PORT, "/")
