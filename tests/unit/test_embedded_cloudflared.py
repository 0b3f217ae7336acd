"""cloudflared as a process of `norn up`: its token is only in its environment, and it gets nothing else of Norn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from norn_tasks.embedded.errors import NotStarted
from norn_tasks.embedded.supervision import cloudflared
from norn_tasks.embedded.supervision.processes import processes
from norn_tasks.settings import load

PROGRAM = f"#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
RUN = ["tunnel", "--no-autoupdate", "--grace-period", "10s"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that writes its arguments and its environment."""
    file = tmp_path / "cloudflared"
    file.write_text(PROGRAM)
    file.chmod(0o755)
    return file


def started(program: Path, **given: str) -> tuple[list[str], dict[str, str]]:
    """Returns the arguments and the environment of cloudflared when it is started."""
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environ = {
        **own,
        "NORN_CLOUDFLARED": str(program),
        "NORN_DATABASE_URL": "postgresql://canary-password@db/n",
        **given,
    }
    argv = [sys.executable, "-m", cloudflared.__name__]
    words, variables = json.loads(subprocess.run(argv, env=environ, capture_output=True, check=True).stdout)
    return words, variables


def test_the_token_is_in_the_environment_and_in_no_word(program: Path) -> None:
    words, variables = started(program, NORN_CLOUDFLARE_TUNNEL_TOKEN="canary-token")
    assert (words, variables["TUNNEL_TOKEN"]) == ([*RUN, "run"], "canary-token")
    assert not any("canary" in value for name, value in variables.items() if name != "TUNNEL_TOKEN")


def test_a_credentials_file_is_named_with_its_tunnel(program: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "t.json")
    words, variables = started(program, NORN_CLOUDFLARE_CREDENTIALS=file, NORN_CLOUDFLARE_TUNNEL="norn")
    assert words == [*RUN, "--credentials-file", file, "run", "norn"]
    assert "TUNNEL_TOKEN" not in variables


def test_it_is_a_process_only_if_the_operator_gave_its_token() -> None:
    with_token = processes(load({"NORN_CLOUDFLARE_TUNNEL_TOKEN": "t"}), Path("/var/lib/norn"))
    without = processes(load({}), Path("/var/lib/norn"))
    assert {program.name for program in with_token} - {program.name for program in without} == {"cloudflared"}
    assert not any(word == "t" for program in with_token for word in program.argv)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"NORN_CLOUDFLARED": "/nowhere/cloudflared"}, "/nowhere/cloudflared is not installed"),
        (
            {"NORN_CLOUDFLARED": "/bin/true", "NORN_CLOUDFLARE_CREDENTIALS": "t.json"},
            "a credentials file and no tunnel",
        ),
    ],
)
def test_what_is_missing_is_said(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(NotStarted, match=sentence):
        cloudflared.require_program(load(given))
