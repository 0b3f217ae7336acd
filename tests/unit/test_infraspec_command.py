"""`python -m norn_tasks.domain`: validate, schema and init, without a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from norn_tasks.domain.__main__ import main
from norn_tasks.domain.infraspec import Role, parse

GOOD = "app: x\nrole: worker\n"
BAD = "app: X\nrole: worker\nservices: {kv: {namespace: a}}\n"

Captured = pytest.CaptureFixture[str]


def test_a_good_file_is_said_to_be_valid(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "infraspec.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert main(["validate", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: valid\n"


def test_a_directory_stands_for_the_infraspec_in_it(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "infraspec.yaml").write_text(GOOD, encoding="utf-8")
    assert main(["validate", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'infraspec.yaml'}: valid\n"


def test_a_directory_stands_for_all_its_infraspecs(tmp_path: Path, capsys: Captured) -> None:
    for name, text in (("infraspec.yaml", GOOD), ("infraspec.jobs.yaml", BAD), ("infraspec.twice.yaml", GOOD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["validate", "--output", "name", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'infraspec.yaml'}\n"
    assert f"{tmp_path / 'infraspec.jobs.yaml'}:1:6: app: " in said.err
    assert f"{tmp_path / 'infraspec.twice.yaml'}:1:1: app: x is also the name of infraspec.yaml" in said.err


def test_a_mistake_is_a_line_with_a_hint_beneath(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(BAD, encoding="utf-8")
    assert main(["validate", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f'{file}:1:6: app: "X" is not an app name')


def test_several_files_are_one_answer(tmp_path: Path, capsys: Captured) -> None:
    for name, text in (("a", BAD), ("b", "role: worker\n"), ("c", GOOD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["validate", "--output", "json", *(str(tmp_path / name) for name in "abc")]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is False
    assert [(Path(mistake["file"]).name, mistake["field"]) for mistake in answer["mistakes"]] == [
        ("a", "app"),
        ("b", "app"),
    ]
    assert set(answer["mistakes"][0]) == {"file", "line", "column", "field", "message", "hint"}


def test_yaml_is_the_same_answer(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "a").write_text(BAD, encoding="utf-8")
    answers = []
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert main(["validate", "--output", form, str(tmp_path / "a")]) == 1
        answers.append(read(capsys.readouterr().out))
    assert answers[0] == answers[1]


def test_names_are_the_valid_files_and_mistakes_go_to_stderr(tmp_path: Path, capsys: Captured) -> None:
    for name, text in (("a", BAD), ("c", GOOD)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["validate", "--output", "name", str(tmp_path / "a"), str(tmp_path / "c")]) == 1
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'c'}\n"
    assert told.err.startswith(f"{tmp_path / 'a'}:1:6: app: ")


def test_a_notice_comes_with_its_file(tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(GOOD + "services: {storage: {bucket: abc, provider: minio}}\n", encoding="utf-8")
    assert main(["validate", "--output", "json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "valid": True,
        "mistakes": [],
        "notices": [
            f"{file}: services.storage.provider: has no effect, "
            "because Norn has one object store, that of NORN_SERVICES_S3_URL"
        ],
    }


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path, capsys: Captured) -> None:
    assert main(["validate", str(tmp_path / "none.yaml")]) == 1
    assert "the file cannot be read: No such file or directory" in capsys.readouterr().out


def test_bytes_that_are_no_text_are_a_mistake(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    assert main(["validate", str(tmp_path / "x")]) == 1
    assert "is not UTF-8" in capsys.readouterr().out


def test_the_schema_is_printed_as_json(capsys: Captured) -> None:
    assert main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert main(["schema", "--output", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == schema


@pytest.mark.parametrize("role", Role)
def test_init_writes_a_spec_that_is_valid_and_a_dockerfile(role: Role, tmp_path: Path) -> None:
    assert main(["init", "--role", role.value, "--app", "first", "--dir", str(tmp_path / "new")]) == 0
    spec = parse((tmp_path / "new" / "infraspec.yaml").read_text(encoding="utf-8"))
    assert (spec.app, spec.role) == ("first", role)
    assert (tmp_path / "new" / "Dockerfile").read_text(encoding="utf-8").startswith("FROM busybox:stable\n")


def test_init_does_not_overwrite_a_spec(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "infraspec.yaml").write_text(GOOD, encoding="utf-8")
    assert main(["init", "--role", "cron", "--app", "y", "--dir", str(tmp_path)]) == 1
    assert (tmp_path / "infraspec.yaml").read_text(encoding="utf-8") == GOOD
    sentence, hint = capsys.readouterr().err.splitlines()
    assert sentence == f"error: {tmp_path / 'infraspec.yaml'} is there already"
    assert hint == "hint: edit it, or name another directory: norn init DIR"


def test_init_keeps_a_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM mine\n", encoding="utf-8")
    assert main(["init", "--role", "cron", "--app", "y", "--dir", str(tmp_path)]) == 0
    assert (tmp_path / "Dockerfile").read_text(encoding="utf-8") == "FROM mine\n"


def test_init_writes_the_dockerfile_of_what_is_there(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "server.js").write_text("require('http').createServer(f).listen(3000)\n", encoding="utf-8")
    assert main(["init", "--role", "webserver", "--app", "y", "--dir", str(tmp_path)]) == 0
    assert 'CMD ["node", "server.js"]' in (tmp_path / "Dockerfile").read_text(encoding="utf-8")
    assert parse((tmp_path / "infraspec.yaml").read_text(encoding="utf-8")).port == 3000
    assert ".env\n" in (tmp_path / ".dockerignore").read_text(encoding="utf-8")
    assert "This looks like node (server.js)" in capsys.readouterr().out


def test_init_says_that_it_recognised_nothing(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert main(["init", "--role", "webserver", "--app", "y", "--dir", str(tmp_path)]) == 0
    assert "note: nothing here was recognised" in capsys.readouterr().out


def test_init_takes_the_port_of_a_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM mine\nEXPOSE 5000\n", encoding="utf-8")
    assert main(["init", "--role", "webserver", "--app", "y", "--dir", str(tmp_path)]) == 0
    assert parse((tmp_path / "infraspec.yaml").read_text(encoding="utf-8")).port == 5000


def test_init_refuses_a_name_before_it_writes(tmp_path: Path, capsys: Captured) -> None:
    assert main(["init", "--role", "cron", "--app", "My App", "--dir", str(tmp_path / "new")]) == 1
    assert not (tmp_path / "new").exists()
    sentence, hint = capsys.readouterr().err.splitlines()
    assert (sentence[:7], sentence[-17:], hint) == ("error: ", "[invalid_request]", "hint: write my-app")


def test_it_runs_as_a_module_and_loads_neither_a_server_nor_click(tmp_path: Path) -> None:
    (tmp_path / "infraspec.yaml").write_text(GOOD, encoding="utf-8")
    program = (
        "import sys, runpy\n"
        "sys.argv = ['norn_tasks.domain', 'validate', 'infraspec.yaml']\n"
        "try: runpy.run_module('norn_tasks.domain', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "print(sorted({'click', 'flask', 'celery', 'sqlalchemy', 'docker', 'httpx'} & set(sys.modules)))\n"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "infraspec.yaml: valid\n[]\n"), ran.stderr
