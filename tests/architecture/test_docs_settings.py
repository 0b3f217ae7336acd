"""docs/settings.md has a row for each setting, with today's default and meaning, and no row for any other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from norn_tasks.settings import PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROWS = {row[0]: row for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)}
KIB = 1024


def default(name: str, field: FieldInfo) -> str:
    """Returns a default in the form that the page uses: sizes in units, a dash for an empty one."""
    if name == "data_dir":
        return "see below"
    value = field.default
    if value is None or value in ("", ()):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if "bytes" in (field.description or ""):
        unit = next(u for u in ("GiB", "MiB", "KiB") if value % KIB ** (" KMG".index(u[0])) == 0)
        return f"`{value // KIB ** (' KMG'.index(unit[0]))}{unit}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_each_setting_has_its_row(name: str) -> None:
    field = Settings.model_fields[name]
    variable = PREFIX + name.upper()
    expected = f"| `{variable}` | {default(name, field)} | {field.description} |"
    assert expected in PAGE.read_text().splitlines(), f"docs/settings.md lacks the row\n{expected}"


def test_the_page_names_no_setting_that_is_not_there() -> None:
    here = {PREFIX + name.upper() for name in Settings.model_fields}
    of_the_cli = {"NORN_URL", "NORN_TOKEN", "NORN_APP"}
    assert set(ROWS) - here - of_the_cli == set()
