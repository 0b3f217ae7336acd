"""Recognises a PHP project, which Apache serves."""

from __future__ import annotations

from norn_tasks.domain.starters.project import Directory, Project, lines

BASE = "php:8.3-apache"
_ROOT = "/var/www/html"


def recognise(found: Directory) -> Project | None:
    """Returns the project if there is a composer.json or an index.php."""
    by = found.first("composer.json", "index.php", "public/index.php")
    if not by:
        return None
    public = found.has("public/index.php")
    composer = (
        ["COPY --from=composer:2 /usr/bin/composer /usr/bin/composer", "RUN composer install --no-dev --no-interaction"]
        if found.has("composer.json")
        else []
    )
    text = lines(
        f"FROM {BASE}",
        f"RUN sed -ri 's!{_ROOT}!{_ROOT}/public!g' /etc/apache2/sites-available/*.conf && a2enmod rewrite"
        if public
        else "",
        f"WORKDIR {_ROOT}",
        "COPY . .",
        composer,
    )
    return Project("PHP", by, text, 80)
