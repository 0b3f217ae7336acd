"""Writes pictures of Norn's page into docs/pictures, from a Norn that runs, such as the one of `make demo`.

`. .norn/env && make pictures`; to write only some of them: `make pictures ARGS='cards cron'`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import expect

from tests.e2e.browser import Visitor, visitor
from tests.e2e.picture_apps import furnish
from tests.e2e.small_png import shrink

PLACE = Path(__file__).parents[2] / "docs" / "pictures"
WIDE, NARROW = (1180, 720), (390, 780)
MOST_HEIGHT = 1500
"""The largest height in pixels; a longer view is cut off."""
VIEWS = {
    "cards": "", "app": "apps/hello-web", "why": "apps/hello-web/why", "releases": "apps/hello-web/releases",
    "logs": "apps/queue-worker/logs", "secrets": "apps/guestbook/secrets", "database": "apps/guestbook/database",
    "commands": "apps/guestbook/runs",
    "cron": "apps/price-watch", "invoke": "apps/thumbnail-gen", "job": "jobs/{failed}", "jobs": "jobs",
    "events": "events", "alerts": "alerts", "server": "server", "tokens": "tokens",
}  # fmt: skip
"""The views, by the name of their pictures."""
LOOKS = {"": ("light", WIDE), "-dark": ("dark", WIDE), "-narrow": ("light", NARROW)}
"""Theme and size of a picture by the end of its name."""


@dataclass(frozen=True)
class Picture:
    """A picture of one view, in one theme and one size."""

    name: str
    view: str
    theme: Literal["light", "dark"]
    size: tuple[int, int]


PICTURES = tuple(
    Picture(f"{name}{end}", view, theme, size) for name, view in VIEWS.items() for end, (theme, size) in LOOKS.items()
)


def take(person: Visitor, picture: Picture, failed: str) -> Path:
    """Opens a view, waits until it is complete, and writes its picture."""
    width, height = picture.size
    page = person.page
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=picture.theme)
    person.open(picture.view.replace("{failed}", failed))
    expect(page.locator(".live")).to_have_text("live")
    expect(page.locator(".waiting")).to_have_count(0)
    page.mouse.move(0, 0)
    whole = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(height, min(whole, MOST_HEIGHT))})
    path = PLACE / f"{picture.name}.png"
    path.write_bytes(shrink(page.screenshot()))
    return path


def _failed(person: Visitor) -> str:
    """Returns the newest failed deploy, which the demo makes; without one, the newest job."""
    page = person.open("jobs")
    expect(page.locator(".waiting")).to_have_count(0)
    failed = page.locator("tr", has_text="failed").locator("a").first
    return (failed if failed.count() else page.locator("td a").first).inner_text()


def main(names: list[str]) -> None:
    """Writes the pictures of these names, or all."""
    PLACE.mkdir(exist_ok=True)
    furnish()
    with visitor(os.environ["NORN_URL"]) as person:
        person.sign_in(Path(os.environ["NORN_DATA_DIR"], "token").read_text().strip())
        failed = _failed(person)
        for picture in PICTURES:
            if not names or picture.name in names:
                path = take(person, picture, failed)
                print(f"{path} {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
