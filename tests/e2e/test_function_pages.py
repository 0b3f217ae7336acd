"""Functions at a host name of their own: a webhook of GitHub in the nest (the container in which crun starts runs), and
pages of other origins in a browser.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import apps, github_hook
from tests.e2e.browser import visitor
from tests.e2e.fast_road import await_nest
from tests.e2e.github_hook import signed
from tests.e2e.stack import Stack
from tests.servers import free_port

pytestmark = pytest.mark.timeout(300)
HOST = "fn.localhost"
ENVIRONMENT = {"NORN_NEST": "auto", "NORN_FN_HOST": HOST, "NORN_OPEN_CALLS_PER_SECOND": "100"}
PAYLOAD = Path(__file__).parents[1] / "corpus" / "webhooks" / "github-push.json"
CGI = """FROM busybox:stable
CMD ["sh", "-c", "printf 'Status: 201\\nX-Own: shown\\n\\n'; cat"]
"""
TRIES = """async (base) => {
  const tried = {};
  const attempt = async (name, path, options, read) => {
    try { tried[name] = await read(await fetch(base + path, options)); } catch (error) { tried[name] = error.name; }
  };
  const json = {method: "PUT", body: "{}", headers: {"Content-Type": "application/json", "X-Page": "1"}};
  const text = async (answer) => answer.status + " " + await answer.text();
  await attempt("open", "/fn/anyones", json, text);
  await attempt("id", "/fn/anyones", json, (answer) => answer.headers.get("X-Norn-Invocation-Id") ? "read" : "none");
  await attempt("own header", "/fn/anyones", json, (answer) => answer.headers.get("X-Own") || "hidden");
  await attempt("cookies", "/fn/anyones", {...json, credentials: "include"}, text);
  await attempt("named", "/fn/shops", json, text);
  await attempt("not named", "/fn/others", json, text);
  await attempt("blind", "/fn/others", {method: "POST", body: "x", mode: "no-cors"}, (answer) => answer.type);
  await attempt("closed", "/fn/closed", json, (answer) => String(answer.status));
  await attempt("api", "/api/apps", {}, text);
  return tried;
}"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a page that is not Norn's."""
    directory, port = tmp_path_factory.mktemp("shop"), free_port()
    (directory / "index.html").write_text("<!doctype html><title>shop</title>")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()


def _calls(stack: Stack) -> dict[str, int]:
    rows = stack.rows("SELECT app, count(*) FROM func_executions WHERE app <> 'hook' GROUP BY app")
    return {row["app"]: int(row["count"]) for row in rows}


def test_github_calls_a_function_in_the_nest_at_the_host_of_functions(stack: Stack) -> None:
    await_nest(stack, ("invoke",))
    github_hook.deploy(stack)
    body = PAYLOAD.read_bytes()
    told: dict[str, str] = {"Content-Type": "application/json", "X-GitHub-Event": "push", "Host": HOST}

    def delivered(data: bytes, signature: str, **more: str) -> httpx.Response:
        headers = {**told, "X-Hub-Signature-256": signature, **more}
        return httpx.post(f"{stack.url}/fn/hook", content=data, headers=headers, timeout=60)

    taken = delivered(body, signed(body))
    assert (taken.status_code, taken.json(), taken.headers["X-Event"]) == (202, {"ok": True}, "push")
    assert [delivered(body + b" ", signed(body)).status_code, delivered(body, signed(b"")).status_code] == [401, 401]
    assert delivered(body, signed(body), Host="127.0.0.1").status_code == 404
    assert httpx.get(f"{stack.url}/api/version", headers={"Host": HOST}, timeout=60).status_code == 404
    ran = "SELECT bool_and(container LIKE 'nest-%%') AS nest, count(*) FROM jobs WHERE kind = 'invoke' AND app = 'hook'"
    assert stack.rows(ran) == [{"nest": True, "count": 3}]


def test_page_of_another_origin_calls_what_its_cors_allows_and_nothing_else(stack: Stack, shop: str) -> None:
    for name, options in {
        "anyones": "auth: none", "shops": f"auth: none, cors: ['{shop}']",
        "others": "auth: none, cors: ['https://other.example']", "closed": "auth: token",
    }.items():  # fmt: skip
        apps.deploy_function(stack, name, CGI, f"function: {{response: cgi, {options}}}\n")
    base = f"http://{HOST}:{stack.port}"
    with visitor(shop) as person:
        person.page.goto(shop)
        tried: dict[str, Any] = person.page.evaluate(TRIES, base)
        seen = person.page.goto(f"{base}/fn/anyones")
    assert tried == {
        "open": "201 {}", "id": "read", "own header": "hidden", "cookies": "TypeError", "named": "201 {}",
        "not named": "TypeError", "blind": "opaque", "closed": "401", "api": "TypeError",
    }  # fmt: skip
    assert seen is not None and seen.status == 201
    # The browser sent only the preflight of the request with cookies and not the request itself, and a preflight starts
    # no call.
    assert _calls(stack) == {"anyones": 4, "shops": 1}
