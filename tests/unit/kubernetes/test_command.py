"""`python -m norn_tasks.adapters.kubernetes.assess`: verdicts on files, without a cluster or a client library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from norn_tasks.adapters.kubernetes.assess.__main__ import main
from tests.unit.kubernetes.examples import EXAMPLES
from tests.unit.kubernetes.made import stamp

BROKEN = EXAMPLES["image_not_found"]
WRITTEN = {
    "documents": yaml.safe_dump_all(BROKEN),
    "a List": yaml.safe_dump({"kind": "List", "items": BROKEN}),
    "JSON": json.dumps({"kind": "List", "items": BROKEN}, indent="\t"),
    "lists of kinds": yaml.safe_dump_all(
        [{"kind": "DeploymentList", "items": [{**BROKEN[0], "kind": None}]}, {"kind": "List", "items": BROKEN[1:]}]
    ),
}
REFUSED = {
    "": "holds no objects",
    "---\n---\n": "holds no objects",
    "a: [": "is not YAML",
    "- 1": "document 1 of",
    "just text": "has no kind",
    "kind: List": "is a List without items",
    "kind: List\nitems: [7]": "item 1 of document 1 of",
    "kind: Service": "there is no Deployment",
    "{": "is not YAML",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_the_verdict_is_printed_as_json(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "objects.yaml").write_text(WRITTEN[form])
    assert main([str(tmp_path / "objects.yaml")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["verdict", "cause", "sentence", "hint", "pod"]
    assert (found["verdict"], found["cause"], found["pod"]) == ("failed", "image_not_found", "shop-v2-abcde")


@pytest.mark.parametrize("written", REFUSED)
def test_a_file_without_a_verdict_is_refused(written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "objects.yaml").write_text(written)
    assert main([str(tmp_path / "objects.yaml")]) == 2
    assert REFUSED[written] in capsys.readouterr().err


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert main([str(tmp_path / "none.yaml")]) == main([str(tmp_path / "binary")]) == main([str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "No such file" in printed and "is not UTF-8 text" in printed and "Is a directory" in printed


def test_the_moment_of_the_verdict_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all(EXAMPLES["insufficient"]))
    for seconds, verdict in ((1, "progressing"), (9, "failed")):
        assert main([str(tmp_path / "objects.yaml"), "--now", stamp(seconds)]) == 0
        assert json.loads(capsys.readouterr().out)["verdict"] == verdict
    assert main([str(tmp_path / "objects.yaml"), "--now", "soon"]) == 2


def test_the_command_reads_standard_input_and_loads_no_client_library() -> None:
    program = (
        "import runpy, sys; sys.argv[1:] = ['-']\n"
        "try: runpy.run_module('norn_tasks.adapters.kubernetes.assess', run_name='__main__')\n"
        "finally: assert 'kubernetes' not in sys.modules, 'the client library was loaded'"
    )
    written = WRITTEN["documents"].encode()
    done = subprocess.run([sys.executable, "-c", program], input=written, capture_output=True, check=True)
    assert json.load(io.BytesIO(done.stdout))["cause"] == "image_not_found"
