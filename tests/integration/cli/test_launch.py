"""Commands that run the server's own programs: which program they start, and the error if it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import NORN, ROOT


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Programs that replace those of the server: they print their arguments and end with status 42."""
    for package in ("embedded", "domain"):
        place = tmp_path / "norn_tasks" / package
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("")
        (place / "__main__.py").write_text("import sys\nprint(__package__, *sys.argv[1:])\nsys.exit(42)\n")
    (tmp_path / "norn_tasks" / "__init__.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "started"),
    [
        (["up"], "embedded up"),
        (["up", "--foreground"], "embedded up --foreground"),
        (["down"], "embedded down"),
        (["logs", "--server"], "embedded logs -n 100"),
        (["logs", "--server", "api", "-f"], "embedded logs api -n 100 -f"),
        (["logs", "--server", "-f", "--tail", "5"], "embedded logs -n 5 -f"),
        (["validate", "my dir/infraspec.yaml", "b"], "domain validate -- my dir/infraspec.yaml b"),
        (["validate"], "domain validate -- ."),
        (["validate", "-o", "json", "--", "-x"], "domain validate --output json -- -x"),
        (["validate", "-o", "name"], "domain validate --output name -- ."),
        (["init", "shop", "--role", "worker"], "domain init --role worker --app shop --dir=shop"),
        (["init", "--app", "blog"], "domain init --role webserver --app blog --dir=."),
        (["schema"], "domain schema"),
        (["schema", "-o", "yaml"], "domain schema --output yaml"),
    ],
)
def test_what_is_started_and_its_exit_status(programs, process_environ, words, started):
    env = {**process_environ, "PYTHONPATH": f"{programs}:{ROOT}"}
    result = subprocess.run([*NORN, *words], capture_output=True, text=True, env=env, timeout=30)
    assert (result.stdout, result.returncode) == (f"norn_tasks.{started}\n", 42)


@pytest.mark.parametrize(
    "words",
    [
        ["up"],
        ["down"],
        ["backup", "file"],
        ["restore", "file"],
        ["init"],
        ["completion", "bash"],
        ["logs", "--server"],
        ["exec", "blog", "--", "ls"],
        ["fn", "show", "7", "--answer"],
    ],
)
@pytest.mark.parametrize("form", ["json", "yaml", "name"])
def test_what_prints_no_object_refuses_a_form(norn, run, home, words, form):
    result = run("-o", form, *words)
    assert (result.exit_code, result.stdout, norn.asked) == (2, "", [])
    assert f"has no -o {form}: " in result.stderr


@pytest.mark.parametrize("words", [["schema"], ["logs", "blog"], ["jobs", "logs", "7"]])
def test_what_has_no_name_refuses_that_form_and_says_which_it_takes(norn, run, words):
    result = run(*words, "-o", "name")
    assert (result.exit_code, norn.asked) == (2, [])
    assert result.stderr.endswith("hint: leave it out, or -o json or -o yaml\n")


def test_init_writes_what_validate_accepts(process, home):
    home = home / "shop"
    assert process("init", str(home), "--role", "function").returncode == 0
    assert process("validate", cwd=home).stdout == b"infraspec.yaml: valid\n"


def test_validate_tells_where_each_mistake_is(process, home):
    (home / "infraspec.yaml").write_text("app: blog\nrole: worker\nport: 80\n")
    result = process("validate", str(home))
    assert result.returncode == 1
    assert result.stdout.startswith(f"{home}/infraspec.yaml:3:1: port: ".encode())


def test_schema_is_json(process):
    assert json.loads(process("schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_a_directory_that_no_app_can_be_called_like(run, home):
    result = run("init", str(home / "My App"))
    assert (result.exit_code, "hint: --app NAME" in result.stderr) == (2, True)


def test_without_the_server_extra_the_sentence_says_what_to_install(process_environ):
    # None in sys.modules makes Python report that the module is not installed.
    without = "import sys; sys.modules['supervisor'] = None; from norn_cli.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", without, "up"], capture_output=True, text=True, env=process_environ, timeout=30
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[1] == "hint: pip install '.[server]' in a checkout of Norn"


def test_without_it_the_logs_of_containers_are_named(process_environ):
    without = "import sys; sys.modules['supervisor'] = None; from norn_cli.main import main; main()"
    words = [sys.executable, "-c", without, "logs", "--server", "api"]
    result = subprocess.run(words, capture_output=True, text=True, env=process_environ, timeout=30)
    assert "for a server in docker-compose: docker-compose logs api\n" in result.stderr


def test_what_lies_in_the_current_directory_is_not_imported(programs, process_environ):
    (programs / "json.py").write_text("raise SystemExit('imported from the current directory')\n")
    env = {**process_environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([*NORN, "schema"], capture_output=True, text=True, env=env, cwd=programs, timeout=30)
    assert "imported from the current directory" not in result.stdout + result.stderr
