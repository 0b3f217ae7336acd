"""Norn's own processes: their command lines and their environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.domain.jobs.job import JobClass
from norn_tasks.embedded.supervision.processes import environment, processes
from norn_tasks.settings import Settings, load

HERE = Path("/var/lib/norn")
SEPARATE = {"NORN_EMBEDDED_PROCESSES": "separate"}


def command(name: str, settings: Settings) -> list[str]:
    return next(list(program.argv) for program in processes(settings, HERE) if program.name == name)


def test_one_process_has_all_classes_and_beat_and_the_router_outlives_it() -> None:
    assert [program.name for program in processes(load({}), HERE)] == ["api", "worker"]


def test_a_server_can_have_a_process_for_each_class_and_for_beat() -> None:
    names = {program.name for program in processes(load(SEPARATE), HERE)}
    assert names == {"api", "beat"} | {f"worker-{kind.value}" for kind in JobClass}


@pytest.mark.parametrize("kind", list(JobClass))
def test_a_separate_worker_takes_its_class_only(kind: JobClass) -> None:
    argv = command(f"worker-{kind.value}", load(SEPARATE))
    assert argv[argv.index("-Q") + 1] == kind.value


def test_all_jobs_of_a_worker_run_in_one_process_which_counts_them() -> None:
    workers = [command(f"worker-{kind.value}", load(SEPARATE)) for kind in JobClass]
    assert {argv[argv.index("-P") + 1] for argv in workers} == {"threads"}


@pytest.mark.parametrize(
    ("host", "bound"), [("127.0.0.1", "127.0.0.1:8801"), ("::1", "[::1]:8801"), ("localhost", "localhost:8801")]
)
def test_the_api_listens_where_the_settings_say(host: str, bound: str) -> None:
    argv = command("api", load({"NORN_HOST": host, "NORN_PORT": "8801"}))
    assert argv[argv.index("--bind") + 1] == bound


def test_a_worker_has_45_seconds_to_hand_back_its_work() -> None:
    programs = [*processes(load({}), HERE), *processes(load(SEPARATE), HERE)]
    assert {program.stop_seconds for program in programs if "worker" in program.name} == {45}


def test_stores_and_directories_are_handed_down_absolute(tmp_path: Path) -> None:
    settings = Settings(data_dir=Path("data"), apps_dir=Path("apps"), database_url="d://", broker_url="b://")
    told = environment(settings, {})
    assert Path(told["NORN_DATA_DIR"]) == Path.cwd() / "data"
    assert Path(told["NORN_APPS_DIR"]) == Path.cwd() / "apps"
    assert (told["NORN_DATABASE_URL"], told["NORN_BROKER_URL"]) == ("d://", "b://")


def test_settings_reach_the_processes_and_the_users_token_does_not() -> None:
    told = environment(load({}), {"NORN_PORT": "8801", "NORN_TOKEN": "norn_secret", "NORN_APP": "blog"})
    assert told["NORN_PORT"] == "8801"
    assert "NORN_TOKEN" not in told
    assert "NORN_APP" not in told


def test_no_process_is_given_a_url_on_its_command_line() -> None:
    settings = load({"NORN_DATABASE_URL": "postgresql://norn:s3cret@db/norn", "NORN_BROKER_URL": "redis://:s3cret@kv"})
    assert not [word for program in processes(settings, HERE) for word in program.argv if "s3cret" in word]
