"""Labels every stage of a Dockerfile, because the classic builder leaves an image for each of its steps."""

from __future__ import annotations

from norn_tasks.adapters.dockerfile.instructions import instructions
from norn_tasks.adapters.dockerfile.text import Recipe


def with_stage_labels(recipe: Recipe, name: str, label: str) -> Recipe:
    """Returns the recipe with a LABEL after each FROM, for the classic builder, which has no here-documents.

    `label` is written `name=value`. Raises SourceError if too many lines of the text continue each other.
    """
    ends = {each.end for each in instructions(recipe.text, name) if each.word == "FROM" and each.sure}
    lines: list[str] = []
    added: list[int] = []
    for number, line in enumerate(recipe.text.split("\n"), 1):
        lines.append(line)
        if number in ends:
            lines.append(f"LABEL {label}")
            added.append(len(lines))
    return Recipe("\n".join(lines), recipe.head, tuple(added))
