"""A nest (the container in which crun starts runs) that another version of Norn has made is replaced only while it has
no runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from norn_tasks.adapters.nest.keeper import NestKeeper
from norn_tasks.adapters.nest.program import frames
from norn_tasks.adapters.nest.program.frames import Link
from norn_tasks.domain.errors import StepFailed
from tests.fakes.nest import NoContainers, served


@pytest.mark.parametrize(("runs", "said"), [([{}], "still has runs"), ([], "does not answer")], ids=["busy", "idle"])
def test_a_nest_of_another_norn_is_not_replaced_while_it_has_runs(tmp_path: Path, runs: list[Any], said: str) -> None:
    def answer(link: Link) -> None:
        asked = link.line() or {}
        link.send(frames.END, {"build": "another", "runs": runs} if asked else {})

    class Keeper(NestKeeper):
        """A nest keeper that makes nothing."""

        def _made(self, tag: str) -> dict[str, Any]:
            raise StepFailed("the new one does not answer")

    served(tmp_path, answer)
    with pytest.raises(StepFailed, match=said):
        Keeper(NoContainers(), "", tmp_path).make()
