"""Pushes to a real repository: a webhook deploys the pushed commit once, and only the apps whose files changed."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.repository import Repository
from tests.e2e import canaries
from tests.e2e.conftest import clean_up, new_stack
from tests.e2e.stack import Stack
from tests.git_server import GitServer
from tests.servers import Broker, Postgres, allowed, wait_until

USER, TOKEN = "deploys", f"{canaries.MARK}-deploy-token"
"""The login with which Norn reads the repositories."""
FUNCTION = b'FROM busybox:stable\nCOPY . /src\nCMD ["cat", "/src/said"]\n'


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("git") / "home")
    server.login = (USER, TOKEN)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(postgres: Postgres, private_dir: Path, engine_address: str, git: GitServer) -> Iterator[Stack]:
    """A Norn whose workers trust the certificate of the git server."""
    home = private_dir / "home"
    home.mkdir()
    broker = Broker(home / "broker")
    stack = new_stack(
        postgres, broker.url, home, NORN_GIT_PRIVATE="true", NORN_GIT_CA=str(git.ca), NORN_POLL_SECONDS="1"
    )
    stack.broker = broker
    stack.keep_secrets()
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        clean_up(stack)
        broker.stop()


@pytest.fixture(scope="module")
def watchers(stack: Stack) -> Iterator[canaries.Watchers]:
    assert stack.broker is not None
    watchers = canaries.Watchers(stack.broker.client())
    yield watchers
    watchers.close()


@pytest.fixture(scope="module")
def mono(stack: Stack, git: GitServer, watchers: canaries.Watchers) -> Repository:
    """A private repository of two functions, each of which is deployed when its directory changes."""
    stack.norn("repo", "login", git.url("mono"), "--user", USER, stdin=TOKEN.encode())
    repository = git.repository("mono")
    files = {"Dockerfile": FUNCTION, "said": b"one\n", "a/x": b"1", "b/x": b"1"}
    repository.commit(files)
    for app in ("a", "b"):
        file = stack.home / f"{app}.yaml"
        repo = f"{{url: '{git.url('mono')}', autoDeploy: true, paths: ['{app}/**']}}"
        file.write_text(f"app: fn-{app}\nrole: function\nrepo: {repo}\n")
        stack.norn("apply", str(file))
        stack.norn("forge", f"fn-{app}")
    return repository


@pytest.fixture(scope="module")
def hook(stack: Stack, git: GitServer, watchers: canaries.Watchers) -> dict[str, Any]:
    made = dict(stack.json("webhook", "create", git.url("mono")))
    watchers.marks.append(made["secret"])
    return made


def deliver(hook: dict[str, Any], before: str, after: str, times: int = 1) -> list[int]:
    """Sends a push as GitHub does, several times at once; returns the statuses."""
    body = json.dumps({"ref": "refs/heads/main", "before": before, "after": after}).encode()
    signed = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signed}", "X-GitHub-Event": "push", "Content-Type": "application/json"}
    with ThreadPoolExecutor(times) as pool:
        asked = pool.map(lambda _: httpx.post(hook["address"], content=body, headers=headers, timeout=60), range(times))
        return sorted(answer.status_code for answer in asked)


def results(stack: Stack, hook: dict[str, Any]) -> dict[str, str]:
    """Returns the results of the newest delivery, after its jobs have ended."""

    def decided() -> bool:
        newest = stack.json("webhook", "deliveries", str(hook["id"]))["items"][0]
        return all("job" in each["outcome"] or ":" in each["outcome"] for each in newest["results"])

    wait_until(decided, allowed(60), "the push is decided")
    newest = stack.json("webhook", "deliveries", str(hook["id"]))["items"][0]
    return {each["app"]: each["outcome"] for each in newest["results"]}


def live(stack: Stack, app: str) -> str | None:
    rows = stack.rows("SELECT revision FROM live_releases WHERE app = %s", app)
    return rows[0]["revision"] if rows else None


def test_a_push_deploys_exactly_its_commit_once_though_it_comes_fifty_times(
    stack: Stack, mono: Repository, hook: dict[str, Any]
) -> None:
    sha = mono.git("rev-parse", "HEAD")
    assert deliver(hook, "0" * 40, sha, times=50) == [200] * 49 + [202]
    wait_until(lambda: live(stack, "fn-a") == live(stack, "fn-b") == sha, allowed(120), "both are live")
    count = "SELECT app, count(*) AS n FROM deployments WHERE kind = 'deploy' GROUP BY app ORDER BY app"
    assert stack.rows(count) == [{"app": "fn-a", "n": 1}, {"app": "fn-b", "n": 1}]


def test_a_push_deploys_only_the_apps_whose_files_it_touched(
    stack: Stack, mono: Repository, hook: dict[str, Any]
) -> None:
    before = mono.git("rev-parse", "HEAD")
    after = mono.commit({"b/x": b"2", "said": b"two\n"})
    assert deliver(hook, before, after) == [202]
    found = results(stack, hook)
    assert found["fn-a"] == f"skipped: no file of repo.paths differs from {before[:12]}"
    assert found["fn-b"].endswith(f"deploys {after[:12]}")
    wait_until(lambda: live(stack, "fn-b") == after, allowed(120), "b is live")
    assert live(stack, "fn-a") == before


def test_a_push_that_is_no_longer_the_newest_deploys_nothing(
    stack: Stack, mono: Repository, hook: dict[str, Any]
) -> None:
    old = mono.git("rev-parse", "HEAD~1")
    now = mono.git("rev-parse", "HEAD")
    assert deliver(hook, "1" * 40, old) == [202]
    assert set(results(stack, hook).values()) == {f"skipped: main is at {now[:12]}, and a later push decides"}


def test_status_says_that_a_repository_without_a_webhook_has_an_update(stack: Stack, git: GitServer) -> None:
    repository = git.repository("polled")
    stack.norn("repo", "login", git.url("polled"), "--user", USER, stdin=TOKEN.encode())
    spec = f"app: polled\nrole: function\nrepo: {{url: '{git.url('polled')}'}}\n"
    repository.commit({"Dockerfile": FUNCTION, "said": b"one\n", "infraspec.yaml": spec.encode()})
    (stack.home / "polled.yaml").write_text(spec)
    for words in (("apply", str(stack.home / "polled.yaml")), ("forge", "polled"), ("deploy", "polled")):
        stack.norn(*words)
    assert stack.json("status", "polled")["update"] is None
    newer = repository.commit({"said": b"two\n"})
    wait_until(lambda: stack.json("status", "polled")["update"] == newer, allowed(60), "the newer commit is seen")
    assert (
        f"update available: main is at {newer[:12]}; norn deploy polled".encode()
        in stack.norn("status", "polled").stdout
    )


def test_no_secret_of_a_webhook_or_repository_shows_anywhere(
    stack: Stack,
    git: GitServer,
    mono: Repository,
    hook: dict[str, Any],
    watchers: canaries.Watchers,
    postgres: Postgres,
) -> None:
    as_gitlab = {"X-Gitlab-Token": hook["secret"], "X-Gitlab-Event": "Push Hook", "Content-Type": "application/json"}
    body = json.dumps({"ref": "refs/heads/main", "before": "0" * 40, "after": mono.git("rev-parse", "HEAD")})
    for headers, status in ((as_gitlab, 202), ({**as_gitlab, "X-Gitlab-Token": hook["secret"][:-1]}, 401)):
        assert httpx.post(hook["address"], content=body, headers=headers, timeout=60).status_code == status
    results(stack, hook)
    assert stack.broker is not None
    places = (
        canaries.rows(stack), canaries.files(stack), canaries.broker_keys(stack.broker.client()),
        canaries.answers(stack, ("fn-a", "fn-b", "polled")), canaries.images(stack), canaries.backup(stack, postgres),
        [("addresses at the git server", "\n".join(git.asked).encode())],
    )  # fmt: skip
    assert canaries.shown((hook["secret"], TOKEN), itertools.chain(*places)) == {}
    assert (watchers.seen, watchers.looks > 100, watchers.messages > 100) == ([], True, True)
