"""No key of a job's arguments or facts is spelled outside domain/jobs/requests/ and domain/jobs/facts.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.keys import searched, spelled


def test_no_key_of_arguments_or_facts_is_spelled() -> None:
    assert [line for path in searched() for line in spelled(path)] == []


@pytest.mark.parametrize(
    "code",
    [
        'job.args["tail"]',
        'args["colour"]',
        'row["args"].get("trigger")',
        'self._job.facts.get("plan", ())',
        '"image_id" in row["facts"]',
        'NewJob(kind, args={"purge": purge})',
        'args = {"force": force}',
        """text("SELECT j.args ->> 'trigger' FROM jobs j")""",
        """text(f"SELECT 1 FROM jobs c WHERE c.kind = '{kind}' AND NOT c.facts ? 'image_id'")""",
        """text("INSERT INTO jobs(args) SELECT jsonb_build_object('trigger', 'manual')")""",
    ],
)
def test_a_key_that_is_spelled_is_found(tmp_path: Path, code: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f'"""Opens."""\n\n{code}\n')
    assert [line.partition(": ")[0] for line in spelled(planted)] == ["planted.py:3"]


@pytest.mark.parametrize(
    "code",
    [
        "job.request.tail",
        'row["args"]',
        'error.facts.get("last_lines", ())',
        'values(facts=Facts({"image_id": image}))',
        """text("SELECT args, facts FROM jobs WHERE kind = 'observe'")""",
        """text(f"SELECT args ->> '{TRIGGER}' FROM jobs")""",
        """text("SELECT spec ->> 'replicas' FROM apps")""",
    ],
)
def test_code_without_a_key_is_not_found(tmp_path: Path, code: str) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(f'"""Opens."""\n\n{code}\n')
    assert spelled(planted) == []
