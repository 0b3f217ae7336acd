"""`norn maintenance` sends the text for visitors; it sends nothing for a word other than on and off."""

from __future__ import annotations

from pathlib import Path

from tests.integration.cli.server import Answer


def test_on_sends_the_message_and_the_page(norn, run, tmp_path: Path):
    norn.on("PUT", "/api/apps/blog/maintenance", Answer(None, 204))
    page = tmp_path / "page.html"
    page.write_text("<h1>soon</h1>")
    result = run("maintenance", "blog", "on", "--message", "Back soon.", "--page", str(page))
    assert result.exit_code == 0, result.stderr
    assert norn.last("PUT", "/api/apps/blog/maintenance").json == {"message": "Back soon.", "page": "<h1>soon</h1>"}


def test_off_ends_it_and_another_word_is_refused(norn, run):
    norn.on("DELETE", "/api/apps/blog/maintenance", Answer(None, 204))
    assert run("maintenance", "blog", "off").exit_code == 0
    assert run("maintenance", "blog", "perhaps").exit_code == 2
