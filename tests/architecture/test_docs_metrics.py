"""docs/metrics.md has a row for each metric, with its kind, labels and meaning, and no row for any other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from norn_api.metrics import METRICS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


@pytest.mark.parametrize("name", list(METRICS))
def test_each_metric_has_its_row(name: str) -> None:
    figure = METRICS[name]
    labels = ", ".join(f"`{label}`" for label in figure.labels) or "–"
    assert f"| `{name}` | {figure.kind} | {labels} | {figure.about} |" in PAGE.splitlines()


def test_the_page_names_no_metric_that_is_not_there() -> None:
    assert set(re.findall(r"^\| `(norn_\w+)` \| \w+ \|", PAGE, re.MULTILINE)) == set(METRICS)
