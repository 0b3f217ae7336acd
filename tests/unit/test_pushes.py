"""Webhooks of pushes: their signatures and fields, the names of repositories, and the files that patterns match."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from werkzeug.datastructures import Headers

from norn_tasks.domain.errors import BadRequest
from norn_tasks.domain.pushes.push import Push, read_event
from norn_tasks.domain.pushes.repository import login_name_of, repository_of
from norn_tasks.domain.pushes.signature import fresh_secret, proof_of
from norn_tasks.domain.pushes.touched import first_touched

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"ref": "refs/heads/main"}'
NOW = 1_800_000_000.0


def mac(secret: str = SECRET, body: bytes = BODY, kind: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, kind).hexdigest()


def standard(at: int = int(NOW), id: str = "msg_1", key: bytes = bytes(range(32))) -> dict[str, str]:
    digest = hmac.digest(key, f"{id}.{at}.".encode() + BODY, hashlib.sha256)
    return {
        "webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }  # fmt: skip


def holds(headers: dict[str, str], secret: str = SECRET) -> bool:
    proof = proof_of(Headers(headers), NOW)
    return proof is not None and proof.holds(secret, BODY)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Hub-Signature-256": f"sha256={mac()}"},
        {"X-Gitea-Signature": mac()},
        {"X-Forgejo-Signature": mac()},
        {"X-Gitlab-Token": SECRET},
        standard(),
        {**standard(), "webhook-signature": "v1,AAAA " + standard()["webhook-signature"]},
    ],
)
def test_the_signature_of_each_forge_holds(headers: dict[str, str]) -> None:
    assert holds(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature": f"sha1={mac(kind='sha1')}"},
        {"X-Hub-Signature-256": f"sha1={mac(kind='sha1')}"},
        {"X-Hub-Signature-256": mac()},
        {"X-Hub-Signature-256": f"sha256={mac()[:-1]}"},
        {"X-Hub-Signature-256": f"sha256={mac('another')}"},
        {"X-Hub-Signature-256": f"sha256={mac(body=b'{}')}"},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Gitlab-Token": SECRET},
        {"X-Gitea-Signature": ""},
        {"X-Gitlab-Token": SECRET[:-1]},
        {"X-Gitlab-Token": ""},
        standard(at=int(NOW) - 301),
        standard(at=int(NOW) + 301),
        standard(key=b"other"),
        {**standard(), "webhook-id": "msg_2"},
        {**standard(), "webhook-signature": standard()["webhook-signature"].replace("v1,", "v1a,")},
    ],
)
def test_what_is_missing_wrong_old_or_cut_does_not(headers: dict[str, str]) -> None:
    assert not holds(headers)


def test_each_secret_is_another_one() -> None:
    assert len({fresh_secret() for _ in range(10)}) == 10


def test_a_push_to_a_branch_is_read_as_json_and_as_a_form() -> None:
    payload = json.dumps({"ref": "refs/heads/a/b", "before": "0" * 40, "after": "1" * 40})
    expected = Push("a/b", None, "1" * 40)
    assert read_event("push", "application/json", payload.encode()).push == expected
    form = ("payload=" + payload.replace(" ", "+")).encode()
    assert read_event("push", "application/x-www-form-urlencoded", form).push == expected


@pytest.mark.parametrize(
    ("name", "payload", "because"),
    [
        ("ping", b"not json", "ping is no push"),
        ("Tag Push Hook", b"{}", "Tag Push Hook is no push"),
        ("push", {"ref": "refs/tags/v1", "after": "1" * 40}, "not a branch"),
        ("push", {"ref": "refs/heads/x", "after": "0" * 40, "deleted": True}, "the branch was deleted"),
        ("Push Hook", {"ref": "refs/heads/x", "after": "0" * 40}, "the branch was deleted"),
    ],
)
def test_other_events_are_ignored(name: str, payload: object, because: str) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    event = read_event(name, "application/json", body)
    assert (event.push, event.ignored) == (None, because)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"ref": 1, "after": 2}', b'{"ref": "refs/heads/x", "after": "z"}']
)
def test_a_push_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_event("push", "application/json", body)


@pytest.mark.parametrize(
    "url",
    [
        "https://Git.Example/ada/Blog.git", "https://git.example:8443/ada/blog/", "git@git.example:ada/blog.git",
        "ssh://git@git.example:2222/ada/blog.git", "git@git.example:/ada/blog",
    ],
)  # fmt: skip
def test_all_addresses_of_a_repository_mean_one(url: str) -> None:
    assert repository_of(url) == "git.example/ada/blog"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://Git.Example/ada/Blog.git", "git.example/ada/blog"),
        ("https://git.example:443/ada/blog/", "git.example/ada/blog"),
        ("https://git.example:9443/ada/blog.git", "git.example:9443/ada/blog"),
    ],
)
def test_a_login_is_of_one_server(url: str, name: str) -> None:
    assert login_name_of(url) == name


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("src/**", "src/a/b", True), ("src/**", "srcs/a", False), ("*.py", "a.py", True), ("*.py", "d/a.py", False),
        ("**/*.py", "a.py", True), ("**/*.py", "x/y/a.py", True), ("api", "api/x", True), ("api/", "api/x/y", True),
        ("api", "apis", False), ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b/c", True), ("a/**/b", "a/x", False),
        ("lib?/x", "libs/x", True), ("**", "q", True), ("a/**", "a", False),
    ],
)  # fmt: skip
def test_a_pattern_means_files_name_by_name(pattern: str, path: str, meant: bool) -> None:
    assert first_touched([pattern], [path]) == (path if meant else None)
