"""A directory is deployed to a control plane whose workers run on another machine: they see neither the directory nor
this machine's network.
"""

from __future__ import annotations

import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from tests.apart import Apart, apart, end
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import CLASSES, Stack
from tests.servers import Broker, Postgres, wait_until

pytestmark = pytest.mark.timeout(300)

FUNCTION = {
    "infraspec.yaml": "app: hello\nrole: function\n",
    "Dockerfile": 'FROM busybox:stable\nCOPY greeting /greeting\nCMD ["sh", "-c", "cat /greeting -"]\n',
    "greeting": "hello from a directory\n",
    ".dockerignore": "*.log\n",
    "old.log": "not for the world\n",
}
WORKER = {
    "infraspec.yaml": "app: ticker\nrole: worker\ncommand: exec sleep 3600\n",
    "Dockerfile": "FROM busybox:stable\n",
}


@pytest.fixture(scope="module")
def elsewhere(private_dir: Path) -> Iterator[Apart]:
    """Another machine. The tests' directory, and with it the apps and all data of the server, is hidden there."""
    with apart(private_dir) as machine:
        yield machine


@pytest.fixture(scope="module")
def stack(
    postgres: Postgres,
    private_dir: Path,
    engine_address: str,
    elsewhere: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """API, scheduler and router on this machine, and a worker of each class on the other one, which can use the
    engine's socket.
    """
    home = private_dir / "upload"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(postgres, broker.url, home)
    logs = tmp_path_factory.mktemp("logs")
    workers: list[subprocess.Popen[bytes]] = []
    try:
        stack.start("api", "beat", "router")
        workers += _workers(stack, elsewhere, engine_address, logs)
        wait_until(lambda: len(stack.json("worker", "list")["items"]) == len(CLASSES), 60, "all workers have reported")
        yield stack
    finally:
        end(*workers)
        stack.stop()
        clean_up(stack)
        broker.stop()


def _workers(stack: Stack, elsewhere: Apart, engine: str, logs: Path) -> Iterator[subprocess.Popen[bytes]]:
    for url in (stack.database_url, stack.environment["NORN_BROKER_URL"]):
        elsewhere.forward(urllib.parse.urlsplit(url).port or 0)
    socket = elsewhere.home / "engine.sock"
    elsewhere.run("touch", str(socket))
    elsewhere.run("mount", "--bind", engine.removeprefix("unix://"), str(socket))
    own = {
        "NORN_DATA_DIR": str(elsewhere.home / "data"), "NORN_APPS_DIR": "", "NORN_DOCKER_HOST": f"unix://{socket}",
        "DOCKER_HOST": "unix:///nowhere",
    }  # fmt: skip
    for name in CLASSES:
        yield elsewhere.spawn(
            logs / f"{name}.log", {**stack.environment, **own}, *stack.argv(name, f"{name}-elsewhere")
        )


def _written(private_dir: Path, name: str, files: Mapping[str, str]) -> Path:
    """Makes a directory on this machine that is no app of the server; returns its path."""
    directory = private_dir / "laptop" / name
    directory.mkdir(parents=True)
    for path, text in files.items():
        (directory / path).write_text(text)
    return directory


@pytest.fixture(scope="module")
def hello(stack: Stack, private_dir: Path) -> tuple[Path, str]:
    """The directory of a function that `norn deploy` deployed, and the output of the command."""
    directory = _written(private_dir, "hello", FUNCTION)
    done = stack.norn("deploy", str(directory))
    return directory, (done.stdout + done.stderr).decode()


def _steps(stack: Stack, release: int) -> dict[str, str]:
    rows = stack.rows(
        "SELECT s.name, s.note FROM steps s JOIN deployments d USING (job_id) WHERE d.app = 'hello' AND d.release = %s",
        release,
    )
    return {row["name"]: row["note"] for row in rows}


def test_the_workers_see_neither_directory_nor_network(elsewhere: Apart, stack: Stack, hello: tuple[Path, str]) -> None:
    assert [path for path in (stack.home / "token", stack.apps, hello[0]) if elsewhere.sees(path)] == []
    links = elsewhere.run("ip", "-o", "link").stdout.splitlines()
    assert [link.split(": ")[1] for link in links] == ["lo"]


def test_a_new_directory_ends_deployed(stack: Stack, hello: tuple[Path, str]) -> None:
    assert "hello is live as release 1" in hello[1]
    assert [each["state"] for each in stack.json("deployments", "hello")["items"]] == ["deployed"]


def test_every_step_was_told(hello: tuple[Path, str]) -> None:
    told = [line.split()[1] for line in hello[1].splitlines() if line.startswith("✔ ")]
    assert told[:3] == ["apply-spec", "pack-source", "upload-source"]
    assert {"register-function", "clone-source", "build-image"} <= set(told)


def test_its_code_runs(stack: Stack, hello: tuple[Path, str]) -> None:
    assert stack.norn("invoke", "hello", "--body", "and more").stdout == b"hello from a directory\nand more"


def test_status_tells_the_source(stack: Stack, hello: tuple[Path, str]) -> None:
    app = stack.json("status", "hello")
    assert (app["source"], app["upload"]["files"], app["revision"]) == ("upload", 4, app["upload"]["revision"])


def test_the_same_tree_again_builds_nothing(stack: Stack, hello: tuple[Path, str]) -> None:
    directory, _ = hello
    (directory / "old.log").write_text("left out, so it changes nothing\n")
    stack.norn("deploy", str(directory))
    newest, before = stack.json("releases", "hello")["items"][:2]
    assert _steps(stack, newest["n"])["build-image"] == "built before"
    assert newest["image_id"] == before["image_id"]


def test_another_tree_is_another_release(stack: Stack, hello: tuple[Path, str]) -> None:
    directory, _ = hello
    (directory / "greeting").write_text("hello again\n")
    stack.norn("deploy", str(directory))
    assert stack.norn("invoke", "hello", "--body", "").stdout == b"hello again\n"


def test_a_worker_ends_deployed_too(stack: Stack, private_dir: Path) -> None:
    directory = _written(private_dir, "ticker", WORKER)
    assert b"ticker is live as release 1" in stack.norn("deploy", str(directory)).stdout
    assert stack.json("status", "ticker")["ready"] == 1


TWO = {
    "infraspec.yaml": "app: one\nrole: function\n",
    "infraspec.other.yaml": "app: two\nrole: function\ncommand: cat /built /greeting\n",
    "Dockerfile": "FROM busybox:stable\nRUN cat /proc/sys/kernel/random/uuid >/built\n"
    'COPY greeting /greeting\nCMD ["cat", "/built"]\n',
    "greeting": "of two\n",
}


def test_two_apps_of_one_directory_share_the_build_of_their_dockerfile(stack: Stack, private_dir: Path) -> None:
    directory = _written(private_dir, "pair", TWO)
    done = stack.norn("deploy", str(directory))
    assert b"one is live as release 1" in done.stdout
    assert b"two is live as release 1" in done.stdout
    built = stack.norn("invoke", "one", "--body", "").stdout
    assert stack.norn("invoke", "two", "--body", "").stdout == built + b"of two\n"


def test_a_purged_app_takes_no_image_of_its_neighbour_along(stack: Stack) -> None:
    stack.norn("destroy", "one", "--purge", "--confirm", "one")
    assert stack.norn("invoke", "two", "--body", "").stdout.endswith(b"of two\n")


# Pipelines


@pytest.fixture(scope="module")
def token(stack: Stack) -> str:
    """The token that docs/ci.md describes: for one app, which does not exist yet."""
    return str(stack.json("token", "create", "ci-site", "--scope", "deploy", "--only", "site")["token"])


@pytest.fixture(scope="module")
def site(private_dir: Path) -> Path:
    """The checked-out source of a CI pipeline."""
    return _written(private_dir, "site", {**FUNCTION, "infraspec.yaml": "app: site\nrole: function\n"})


def _pipeline(forge: str) -> str:
    """Returns the script of a forge's pipeline in docs/ci.md, in the order of its steps."""
    page = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
    written = yaml.safe_load(page.partition(f"\n## {forge}\n")[2].partition("```yaml\n")[2].partition("```")[0])
    job = written.get("jobs", written)["deploy"]
    lines = job["script"] if "script" in job else [step["run"] for step in job["steps"] if "run" in step]
    return "\n".join(f"({line})" for line in lines)


def _run_pipeline(stack: Stack, forge: str, token: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    """Runs the script as a CI runner does, with only the server's address and the token in its environment."""
    home = stack.home / "runner"
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": stack.environment["PATH"], "HOME": str(home), "NORN_URL": stack.url, "NORN_TOKEN": token,
        "NORN_DATA_DIR": str(home),
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", _pipeline(forge)], env=environment, cwd=checkout, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("forge", ["GitHub", "Gitea", "GitLab"])
def test_a_pipeline_of_the_manual_deploys_its_checkout(stack: Stack, token: str, site: Path, forge: str) -> None:
    (site / "greeting").write_text(f"from {forge}\n")
    done = _run_pipeline(stack, forge, token, site)
    assert (done.returncode, "site is live as release" in done.stdout) == (0, True), done.stderr
    assert stack.norn("invoke", "site", "--body", "").stdout == f"from {forge}\n".encode()
    assert token not in done.stdout + done.stderr


def test_a_pipeline_fails_with_its_deploy_and_shows_why(stack: Stack, token: str, site: Path) -> None:
    (site / "Dockerfile").write_text("FROM busybox:stable\nRUN echo no such module; exit 3\n")
    done = _run_pipeline(stack, "GitLab", token, site)
    assert (done.returncode, "no such module" in done.stderr) == (6, True), done.stderr


def test_its_token_deploys_no_other_app(stack: Stack, token: str, hello: tuple[Path, str]) -> None:
    done = _run_pipeline(stack, "GitLab", token, hello[0])
    assert done.returncode in (3, 4), done.stderr
    assert "your token does not reach hello" in done.stderr
