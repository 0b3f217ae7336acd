"""No shell runs on the host, and only one module starts programs. Places that look like a start are listed here, each
with its reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.shells import found
from tests.architecture.source import ROOT, modules

ALLOWED = {
    (
        "norn_tasks/adapters/processes/process_guard.py",
        "_become",
        "os.execvp",
    ): "the one place that starts programs becomes them",
    (
        "norn_tasks/embedded/supervision/cloudflared.py",
        "become",
        "os.execve",
    ): "a fork of the supervisor becomes cloudflared",
    ("norn_tasks/embedded/services/start.py", "become", "os.execvpe"): "a server of apps, as its own account",
    ("norn_cli/launch.py", "_become", "os.execv"): "norn up becomes the server's own module",
    ("norn_tasks/domain/infraspec/model.py", "Infraspec.argv", "sh -c"): "a spec's command, in its container",
    ("norn_tasks/steps/image.py", "TestImage._run", "sh -c"): "build.test, in a container of the image",
    ("norn_tasks/domain/infraspec/sections.py", "Migrations.argv", "sh -c"): "a migration, in its container",
    ("norn_api/schemas/oneoffs.py", "argv_of", "sh -c"): "norn run's command, in a container",
    ("norn_cli/commands/data/db.py", "shell", "sh -c"): "psql of norn db shell, in a container",
    ("norn_tasks/adapters/processes/marked.py", "ending", "sh -c"): "ends a program in its replica",
    ("norn_tasks/adapters/nest/trial.py", "_ran", "sh -c"): "tries the walls of a sandbox, from inside",
    ("norn_tasks/adapters/nest/program/launchers.py", "Launcher._spawned", "sh -c"): "waits in the nest, a container",
    (
        "norn_tasks/adapters/nest/program/launchers.py",
        "Launcher._spawned",
        "os.posix_spawn",
    ): "the same; the nest itself runs in a container",
    ("norn_tasks/adapters/docker/runs_reach.py", "ReachProbe._create", "sh -c"): "tries the network, in a container",
}
"""Places that name a shell or a program, each with the reason why no shell runs on the host."""


def test_no_shell_runs_on_the_host() -> None:
    here = {(str(path.relative_to(ROOT)), each.where, each.what) for path in modules() for each in found(path)}
    assert here == set(ALLOWED)


CAUGHT = [
    "import os\nos.system('x')",
    "import os as o\no.system('x')",
    "from os import system\nsystem('x')",
    "from os import system as call\ncall('x')",
    "from os import *",
    "import os\nrun = os.popen",
    "import os\ngetattr(os, 'system')('x')",
    "import os\nos.execvp('x', ['x'])",
    "import os\nos.spawnl(os.P_WAIT, 'x')",
    "import os\nos.posix_spawn('x', ['x'], {})",
    "import subprocess\nsubprocess.run('x', shell=True)",
    "import subprocess\nsubprocess.run('x', shell=chosen)",
    "import subprocess\nsubprocess.getoutput('x')",
    "from subprocess import getoutput\ngetoutput('x')",
    "import asyncio\nasyncio.create_subprocess_shell('x')",
    "run(['sh', '-c', text])",
    "run(('/bin/bash', '-ec', text))",
    "run(['env', 'A=1', 'dash', '-c', text])",
    "run(['sh', '-c', *more])",
    "run('sh -c ls'.split())",
    "import shlex\nrun(shlex.split('/bin/sh -c ls'))",
    "eval('x')",
    "exec('x')",
    "import pickle\npickle.loads(b'')",
    "import yaml\nyaml.load(text)",
]
FINE = [
    "import subprocess\nsubprocess.run(['git', '-c', 'a=b'], shell=False)",
    "import yaml\nyaml.safe_load(text)",
    "import os\nos.execution = 1",
    "self.exec('x')",
    "run(['sh', 'script'])",
    'x = \'CMD ["sh", "-c", "ls"]\'',
]


@pytest.mark.parametrize("text", CAUGHT)
def test_what_could_start_one_is_caught(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.py").write_text(text + "\n")
    assert [each.line for each in found(tmp_path / "bad.py")][-1] == text.count("\n") + 1


@pytest.mark.parametrize("text", FINE)
def test_what_could_not_is_not(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.py").write_text(text + "\n")
    assert found(tmp_path / "good.py") == []
