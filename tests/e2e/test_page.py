"""Norn's page in a browser, on a control plane with containers: what a user sees and does there."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.architecture.source import ROOT
from tests.contract.repository import Repository
from tests.e2e import apps, canaries
from tests.e2e.browser import HOSTILE, UI, Visitor, visitor
from tests.e2e.stack import Stack
from tests.git_server import GitServer
from tests.servers import allowed, wait_until

pytestmark = pytest.mark.timeout(300)

WEB, WORKER, CRON, FUNCTION = "page-web", "page-worker", "page-cron", "page-fn"
ATTACKER, PUSHED = "page-hostile", "page-pushed"
GUIDE = ROOT / "examples" / "thumbnail-gen"
"""The directory of the example function thumbnail-gen, with the picture that its README uses."""
NEVER_READ = "never-read-by-norn"
"""This text is in every message and author of a commit, and nowhere else."""
BRANCH = '<img/src="x"/onerror="window.hostile=1">'
"""The name of a branch that runs a script if a browser reads it as HTML; git allows no space in it."""
MOST = 80_000
"""The largest number of bytes of scripts and styles, compressed, that the page may make a browser load."""
SERVE = "echo started; exec httpd -f -p 8080 -h /www"
WRITE = f"i=0; while true; do i=$((i+1)); echo line $i '{HOSTILE}'; sleep 0.2; done"
VIEWS = [
    "", f"apps/{WEB}", f"apps/{WEB}/why", f"apps/{WEB}/releases", f"apps/{WORKER}/logs", f"apps/{CRON}/cron",
    f"apps/{FUNCTION}/invoke", f"apps/{FUNCTION}/secrets", f"apps/{WORKER}/runs", f"apps/{WEB}/database",
    "jobs", "jobs/1", "events", "alerts", "server", "tokens",
]  # fmt: skip
Theme = Literal["light", "dark"]
both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


TRIES = """<!doctype html><title>busy</title><script>
(async () => {
  const tries = {
    cookie: () => document.cookie || "none",
    storage: () => { localStorage.x = 1; return "open"; },
    api: async () => (await fetch("/api/apps", {credentials: "include"})).status,
    change: async () => (await fetch("/api/apps/page-web/deploy", {method: "POST", credentials: "include"})).status,
    worker: async () => { await navigator.serviceWorker.register("/fn/page-hostile/sw.js"); return "registered"; },
    page: () => window.opener.document.title,
  };
  const found = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try { found[name] = String(await attempt()); } catch (error) { found[name] = error.name; }
  }
  document.title = JSON.stringify(found);
})();
</script>
"""
"""A page that tries what only a page of Norn's own origin may do, and writes the results into its title."""


def _furnish(stack: Stack) -> None:
    apps.add_web(stack, WEB, SERVE)
    stack.add_app(WORKER, f"app: {WORKER}\nrole: worker\n", {"Dockerfile": _program(WRITE)})
    apps.add_cron(stack, CRON, "echo ran for $MONTH")
    apps.add_function(stack, FUNCTION)
    shows = 'FROM busybox:stable\nCOPY page.html /\nCMD ["cat", "/page.html"]\n'
    spec = f"app: {ATTACKER}\nrole: function\nfunction: {{contentType: text/html}}\n"
    stack.add_app(ATTACKER, spec, {"Dockerfile": shows, "page.html": TRIES})
    shutil.copytree(GUIDE, stack.apps / GUIDE.name)
    names = (WEB, WORKER, CRON, FUNCTION, ATTACKER, GUIDE.name)
    for verb in ("forge", "deploy"):
        jobs = [_ask(stack, f"/api/apps/{name}/{verb}")["job"] for name in names]
        for job in jobs:
            stack.await_state(job, ["succeeded"], allowed(40))


def _ask(stack: Stack, path: str, method: str = "POST", **body: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {(stack.home / 'token').read_text().strip()}"}
    given = body if method == "POST" else None
    answer = httpx.request(method, f"{stack.url}{path}", json=given, headers=headers, timeout=30)
    return dict(answer.raise_for_status().json())


def _state(stack: Stack, name: str) -> dict[str, Any]:
    return _ask(stack, f"/api/apps/{name}", "GET")


def _sessions(stack: Stack) -> int:
    return len(_ask(stack, "/api/sessions", "GET")["items"])


def _program(command: str) -> str:
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    return f'FROM busybox:stable\nCMD ["sh", "-c", "{quoted}"]\n'


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("git") / "home")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def environment(git: GitServer) -> dict[str, str]:
    """The settings with which workers may read repositories of the git server."""
    return {"NORN_GIT_PRIVATE": "true", "NORN_GIT_CA": str(git.ca)}


@pytest.fixture(scope="module")
def arrived(stack: Stack) -> Iterator[Visitor]:
    """A user who is signed in, in a browser, on a server without apps."""
    expect.set_options(timeout=allowed(20) * 1000)
    with visitor(stack.url) as person:
        person.sign_in((stack.home / "token").read_text().strip())
        yield person


@pytest.fixture(scope="module")
def seen(stack: Stack, arrived: Visitor) -> Visitor:
    """The same user, after the server has an app of each role."""
    stack.keep_secrets()
    _furnish(stack)
    return arrived


def _soon(page: Page, text: str) -> None:
    expect(page.locator("main")).to_contain_text(text)


def _button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def _deploy(page: Page) -> None:
    _button(page, "Deploy").click()
    _button(page, f"Deploy {WEB}").click()


def _job_ends(page: Page, state: str) -> None:
    expect(page.locator(".job-head .state")).to_have_text(state)


@both_themes
def test_the_sign_in_has_no_serious_finding_of_axe(arrived: Visitor, theme: Theme) -> None:
    person = arrived.stranger()
    person.page.emulate_media(color_scheme=theme)
    person.page.goto(person.url)
    expect(person.page.get_by_label("Token")).to_be_focused()
    found = person.serious()
    person.page.get_by_label("Token").fill("no token")
    _button(person.page, "Sign in").click()
    expect(person.page.locator(".failure")).to_be_visible()
    assert (found, person.serious(), person.foreign, person.complaints) == ([], [], [], [])
    person.context.close()


@both_themes
def test_the_first_run_shows_three_commands_and_has_no_serious_finding_of_axe(arrived: Visitor, theme: Theme) -> None:
    arrived.page.emulate_media(color_scheme=theme)
    page = arrived.open("")
    expect(page.get_by_label("First app").locator(".command code")).to_have_text(
        ["norn init", "norn deploy .", "norn open"]
    )
    assert arrived.serious() == []


def test_each_app_has_a_card(seen: Visitor) -> None:
    page = seen.open("")
    for name in (WEB, WORKER, CRON, FUNCTION):
        expect(page.locator(".card", has_text=name)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("cron")
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_label("Search apps").fill("")


def test_a_deploy_is_watched_step_by_step(seen: Visitor, stack: Stack) -> None:
    page = seen.open(f"apps/{WEB}")
    _deploy(page)
    for step in ("build-image", "await-rollout"):
        expect(page.locator(".step", has_text=step)).to_be_visible()
    _job_ends(page, "succeeded")
    _soon(page, "1 of 1")
    _button(page, "Close").click()


def test_a_failing_deploy_says_why_while_the_old_version_serves(seen: Visitor, stack: Stack) -> None:
    page = seen.open(f"apps/{WEB}")
    apps.add_web(stack, WEB, f"echo '{HOSTILE.replace(chr(34), '')}' >&2; exit 3")
    _deploy(page)
    _job_ends(page, "failed")
    failed = page.locator(".step.failed")
    expect(failed.locator(".failure")).to_contain_text("exited 3")
    expect(page.locator(".app-head")).to_contain_text("release 2 serves on")
    assert httpx.get(_state(stack, WEB)["url"]).text == "one\n"
    _button(page, "Close").click()


def test_a_release_is_rolled_back_to(seen: Visitor, stack: Stack) -> None:
    directory = apps.add_web(stack, WEB, SERVE)
    (directory / "www/index.html").write_text("two\n")
    stack.await_state(_ask(stack, f"/api/apps/{WEB}/deploy")["job"], ["succeeded"], allowed(40))
    page = seen.open(f"apps/{WEB}")
    _button(page, "Rollback").click()
    _button(page, "Roll back to release 2").click()
    _job_ends(page, "succeeded")
    assert httpx.get(_state(stack, WEB)["url"]).text == "one\n"
    _button(page, "Close").click()


def test_the_cron_panel_runs_pauses_and_reschedules_by_the_keyboard_alone(seen: Visitor, stack: Stack) -> None:
    page = seen.open(f"apps/{CRON}")
    _button(page, "Run Now").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("MONTH=10")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(".action code").last).to_contain_text("--env MONTH=10")
    page.locator(".action").get_by_role("button", name="Run Now", exact=True).press("Enter")
    page.get_by_role("button", name=re.compile("Open run")).first.press("Enter")
    _soon(page, "ran for 10")
    _button(page, "Pause").press("Enter")
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    expect(page.locator(".facts", has_text="Paused").last).to_contain_text(HOSTILE)
    _button(page, "Resume").press("Enter")
    page.locator(".action").get_by_role("button", name="Resume", exact=True).press("Enter")
    _button(page, "Update Schedule").press("Enter")
    page.keyboard.press("Control+A")
    page.keyboard.type("*/5 * * * *")
    page.keyboard.press("Enter")
    _soon(page, "It would run")
    _button(page, "Save the schedule").press("Enter")
    _soon(page, "override by")
    _button(page, "Clear").press("Enter")
    _button(page, "Clear the override").press("Enter")
    expect(page.locator("main")).not_to_contain_text("override by")
    assert _state(stack, CRON)["schedule"]["text"] == "0 0 1 1 *"


def test_a_function_is_invoked_by_the_keyboard_alone_and_shows_its_output(seen: Visitor) -> None:
    page = seen.open(f"apps/{FUNCTION}")
    page.get_by_label("Body", exact=True).focus()
    page.keyboard.type(f"hello {HOSTILE}")
    _tab_to(page, f"Invoke {FUNCTION}")
    page.keyboard.press("Enter")
    expect(page.get_by_label("stdout")).to_have_text(f"hello {HOSTILE}from POST /\n")
    expect(page.get_by_label("stderr")).to_have_text("begun\n")
    page.get_by_role("button", name=re.compile("Open call")).first.press("Enter")
    _button(page, "Call again").press("Enter")
    _soon(page, "The answers are the same")


def test_the_guides_function_is_invoked_with_its_picture_and_shows_what_its_container_wrote(seen: Visitor) -> None:
    page = seen.open(f"apps/{GUIDE.name}")
    page.get_by_label("or a file as the body").set_input_files(GUIDE / "sample.pgm")
    command = f"norn invoke {GUIDE.name} --body @sample.pgm"
    assert f"`{command}`" in (GUIDE / "README.md").read_text()
    expect(page.locator(".action").get_by_label("The same command")).to_have_text(command)
    _button(page, f"Invoke {GUIDE.name}").click()
    expect(page.locator(".inset .state")).to_have_text("succeeded")
    stdout = page.get_by_label("stdout").text_content() or ""
    assert re.fullmatch(r"P2\n12 8\n255\n(\s*\d{1,3}){96}\n", stdout), stdout


def test_a_command_is_run_in_the_image_of_an_app(seen: Visitor) -> None:
    page = seen.open(f"apps/{WORKER}/runs")
    page.get_by_label(re.compile("^Command, in")).fill("echo ran once")
    _button(page, "Run it").click()
    page.get_by_role("button", name=re.compile("Open command")).click()
    expect(page.get_by_label("stdout")).to_have_text("ran once\n")


def _tab_to(page: Page, name: str) -> None:
    """Presses Tab until a button has the focus."""
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == name:
            return
    raise AssertionError(f"the focus does not reach {name}")


def test_a_page_that_a_function_returns_reaches_nothing_of_norn(seen: Visitor, stack: Stack) -> None:
    token = (stack.home / "token").read_text().strip()
    before = len(_ask(stack, "/api/jobs?app=page-web", "GET")["items"])
    tab = seen.context.new_page()
    tab.route("**/fn/**", lambda route: route.continue_(headers={"Authorization": f"Bearer {token}"}))
    tab.goto(f"{stack.url}/fn/{ATTACKER}")
    expect(tab).not_to_have_title("busy", timeout=allowed(20) * 1000)
    refused = {"cookie": "SecurityError", "storage": "SecurityError", "api": "TypeError", "change": "TypeError",
               "worker": "SecurityError", "page": "TypeError"}  # fmt: skip
    assert json.loads(tab.title()) == refused
    assert len(_ask(stack, "/api/jobs?app=page-web", "GET")["items"]) == before
    assert seen.context.service_workers == []
    tab.close()


def test_a_log_is_followed_searched_and_paused(seen: Visitor) -> None:
    page = seen.open(f"apps/{WORKER}/logs")
    count = page.locator(".filters [role=status]")
    expect(count).to_have_text(re.compile("[1-9]"))
    before = count.inner_text()
    expect(count).not_to_have_text(before)
    page.get_by_label("Search lines").fill("line 7 ")
    expect(page.locator(".log mark")).to_have_text("line 7 ")
    page.get_by_label("Search lines").fill("")


def test_a_cut_stream_loses_nothing_and_doubles_nothing(seen: Visitor, stack: Stack) -> None:
    page, log = seen.open("events"), seen.tab()
    log.goto(f"{seen.url}/#/apps/{WORKER}/logs")
    expect(page.locator(".live")).to_have_text("live")
    before = _await_lines(log, 1)
    stack.kill_group("api")
    expect(page.locator(".banner")).to_be_visible()
    stack.start("api")
    _ask(stack, f"/api/apps/{CRON}/cron/pause", reason="the stream is cut")
    expect(page.locator(".banner")).not_to_be_visible(timeout=allowed(20) * 1000)
    expect(page.locator("tbody tr", has_text="the stream is cut")).to_have_count(1)
    _ask(stack, f"/api/apps/{CRON}/cron/resume")
    expect(page.locator("tbody tr").first).to_contain_text("schedule.resumed")
    expect(page.locator("tbody tr", has_text="the stream is cut")).to_have_count(1)
    lines = _await_lines(log, before[-1] + 20)
    assert lines == [*range(before[0], lines[-1] + 1)]
    log.close()


def _await_lines(log: Page, last: int) -> list[int]:
    """Returns the numbers of all lines of the log once line `last` is there."""
    found: list[int] = []

    def there() -> bool:
        with log.expect_download() as download:
            _button(log, "Download").click()
        found[:] = map(int, re.findall(r"\| line (\d+)", download.value.path().read_text()))
        return bool(found) and found[-1] >= last

    wait_until(there, allowed(20), f"line {last} is there")
    return found


@both_themes
def test_no_view_has_a_serious_finding_of_axe(seen: Visitor, theme: Theme) -> None:
    seen.page.emulate_media(color_scheme=theme)
    found = {}
    for view in VIEWS:
        page = seen.open(view)
        expect(page.locator(".waiting")).to_have_count(0)
        found[view] = seen.serious()
    assert {view: issues for view, issues in found.items() if issues} == {}


@both_themes
def test_the_palette_has_no_serious_finding_of_axe(seen: Visitor, theme: Theme) -> None:
    seen.page.emulate_media(color_scheme=theme)
    page = seen.open(f"apps/{CRON}")
    page.keyboard.press("Control+K")
    palette = page.get_by_role("dialog", name="Palette")
    expect(palette.get_by_role("combobox")).to_be_focused()
    expect(palette.get_by_role("option")).not_to_have_count(0)
    found = seen.serious()
    page.keyboard.type("nothing of this name")
    expect(palette.get_by_role("option")).to_have_count(0)
    found_nothing = seen.serious()
    page.keyboard.press("Escape")
    expect(palette).to_have_count(0)
    assert (found, found_nothing) == ([], [])


def test_the_palette_forgets_what_was_searched(seen: Visitor) -> None:
    page = seen.open("jobs")
    page.keyboard.press("Control+K")
    palette = page.get_by_role("dialog", name="Palette")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(CRON)
    expect(palette.get_by_role("option")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=CRON)).to_be_visible()
    page.keyboard.press("Control+K")
    expect(palette.get_by_role("combobox")).to_have_value("")
    page.keyboard.press("Escape")


def test_an_app_is_torn_down_once_its_name_is_typed(seen: Visitor, stack: Stack) -> None:
    page = seen.open(f"apps/{WEB}")
    _button(page, "Teardown").click()
    button = _button(page, f"Tear down {WEB}")
    expect(button).to_be_disabled()
    page.get_by_label(re.compile("to confirm")).fill(WEB)
    button.click()
    _job_ends(page, "succeeded")
    expect(page.locator(".title .state")).to_have_text("unforged")


def test_an_address_with_a_code_replaces_no_session_by_itself(seen: Visitor, stack: Stack) -> None:
    before = _sessions(stack)
    page = seen.tab()
    page.goto(f"{stack.url}/#code={_ask(stack, '/api/session/codes')['code']}")
    offer = page.get_by_label("Another sign-in")
    expect(offer).to_contain_text("You are still signed in as")
    assert _sessions(stack) == before
    _button(page, "Sign in with it").click()
    expect(offer).to_have_count(0)
    assert _sessions(stack) == before + 1
    page.close()


def test_a_hostile_name_of_an_app_is_shown_as_text(seen: Visitor) -> None:
    page = seen.open(f"apps/{quote(HOSTILE, safe='')}")
    expect(page.locator("main .failure")).to_be_visible()


def test_hostile_commits_and_branches_run_no_script(seen: Visitor, stack: Stack, git: GitServer) -> None:
    jobs = _hostile_jobs(stack, git)
    app = [f"apps/{PUSHED}/{tab}" for tab in ("overview", "invoke", "why", "releases", "jobs")]
    for view in ["", *app, *(f"jobs/{job}" for job in jobs), "events", "server"]:
        page = seen.open(view)
        expect(page.locator(".waiting")).to_have_count(0)
        assert (page.locator('[src="x"]').count(), seen.was_attacked()) == (0, False), view
        assert NEVER_READ not in page.locator("body").inner_text(), view
    expect(seen.open(f"apps/{PUSHED}/releases").get_by_role("cell", name=BRANCH, exact=True)).to_be_visible()
    assert canaries.shown([NEVER_READ], canaries.rows(stack)) == {}


def _hostile_jobs(stack: Stack, git: GitServer) -> list[int]:
    """Deploys a branch with a hostile name and commits, first by a command and then by a push; returns the jobs."""
    repository = git.repository("hostile")
    repository.git("checkout", "--quiet", "-b", BRANCH)
    repo = json.dumps({"url": git.url("hostile"), "branch": BRANCH, "autoDeploy": True})
    spec = f"app: {PUSHED}\nrole: function\nrepo: {repo}\n"
    stack.add_app(PUSHED, spec, {})
    first = _commit(repository, {"infraspec.yaml": spec, "Dockerfile": apps.ECHO})
    for verb in ("forge", "deploy"):
        stack.await_state(_ask(stack, f"/api/apps/{PUSHED}/{verb}")["job"], ["succeeded"], allowed(40))
    second = _commit(repository, {"more": "of it"})
    _push(_ask(stack, "/api/webhooks", url=git.url("hostile")), first, second)
    wait_until(lambda: _state(stack, PUSHED)["live"]["revision"] == second, allowed(40), "the push is live")
    return [each["id"] for each in _ask(stack, f"/api/jobs?app={PUSHED}", "GET")["items"]]


def _commit(repository: Repository, files: dict[str, str]) -> str:
    """Makes a commit with a hostile message and author; git removes the angle brackets from the author's name."""
    repository.commit({path: text.encode() for path, text in files.items()})
    hostile = f"{NEVER_READ} {HOSTILE}"
    amended = ("commit", "--quiet", "--amend", "--reset-author", "--message", hostile)
    repository.git("-c", f"user.name={hostile}", *amended)
    return repository.git("rev-parse", "HEAD")


def _push(hook: dict[str, Any], before: str, after: str) -> None:
    """Reports a push as GitHub does, with the commit's message and its author."""
    hostile = f"{NEVER_READ} {HOSTILE}"
    commit = {"id": after, "message": hostile, "author": {"name": hostile, "username": hostile}}
    push = {"ref": f"refs/heads/{BRANCH}", "before": before, "after": after, "head_commit": commit,
            "commits": [commit], "pusher": {"name": hostile}}  # fmt: skip
    body = json.dumps(push).encode()
    signed = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={signed}", "X-GitHub-Event": "push", "Content-Type": "application/json"}
    assert httpx.post(hook["address"], content=body, headers=headers, timeout=30).status_code == 202


def test_every_request_stayed_at_home_and_no_script_ran_that_is_not_ours(seen: Visitor) -> None:
    assert (seen.foreign, seen.complaints, seen.was_attacked()) == ([], [], False)


def test_a_tab_has_no_other_stream_than_one(seen: Visitor) -> None:
    assert seen.streams == {"/api/stream"}


def test_what_a_browser_fetches_is_small() -> None:
    files = [path for path in (UI / "dist" / "assets").iterdir() if path.suffix in (".js", ".css")]
    assert 0 < sum(len(gzip.compress(path.read_bytes())) for path in files) <= MOST


def test_the_program_of_the_page_fits_the_document_of_the_api(stack: Stack, seen: Visitor) -> None:
    (UI / "openapi.json").write_bytes(httpx.get(f"{stack.url}/api/openapi.json").content)
    for script in ("types", "check"):
        done = subprocess.run(["npm", "run", script], cwd=UI, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
