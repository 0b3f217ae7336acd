"""Users who come through Cloudflare Access: only a token for this application that is signed with the team's present
keys is accepted.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from sqlalchemy import text

from norn_api.access.auth import Credentials
from norn_api.access.team_tokens import HEADER, TeamTokens
from norn_tasks import dispatch
from norn_tasks.adapters.cloudflare.team_keys import PublishedTeamKeys
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import InvalidRequest, TunnelFailed
from norn_tasks.domain.jobs.job import JobClass, JobState
from norn_tasks.domain.jobs.step import StepEnd, StepPosition, StepState
from norn_tasks.domain.tunnel.team_keys import issuer_of
from norn_tasks.ports import Tools
from norn_tasks.settings import Settings
from norn_tasks.steps.external.access import FetchAccessKeys
from norn_tasks.steps.step import StepContext
from norn_tasks.store.database.session import Database
from norn_tasks.store.ledger.ledger import Ledger
from tests import factories as rows
from tests.fakes.stop import FakeStop, FakeWatch
from tests.integration.api import factories
from tests.integration.api.factories import HELLO, Api

AUDIENCE = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"
OURS, THEIRS = (generate_private_key(65537, 2048) for _ in range(2))


def public(key: RSAPrivateKey, kid: str = "one") -> dict[str, Any]:
    """Returns a key as Cloudflare publishes it."""
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256", "use": "sig"}


class Team:
    """The server that issues a team's tokens. `answer` is the response with its keys, None for an error."""

    def __init__(self) -> None:
        team = self
        self.answer: object = {"keys": [public(OURS)], "public_cert": {"kid": "one", "cert": "-----BEGIN…"}}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/cdn-cgi/access/certs" and team.answer else 503)
                self.end_headers()
                self.wfile.write(json.dumps(team.answer).encode())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, key: object = OURS, *, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
        """Returns a token as Access makes it; a claim whose value is None is left out."""
        now = int(time.time())
        said = {
            "aud": [AUDIENCE], "email": "ada@example.org", "exp": now + 60, "iat": now, "nbf": now, "iss": self.issuer,
            "type": "app", "sub": "7335d417-61da-459d-899c-0a01c76a2f94", **claims,
        }  # fmt: skip
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, cast(Any, key), algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def team() -> Iterator[Team]:
    server = Team()
    yield server
    server.stop()


@pytest.fixture
def api(database: Database, team: Team) -> Iterator[Api]:
    """An API that admits the team, whose keys a worker has fetched."""
    settings = {"access_team": team.issuer, "access_audience": AUDIENCE, "access_admins": "Grace@example.org, "}
    api = factories.api(database, **settings)
    fetch(api)
    yield api.anonymous()
    api.services.close()


def fetch(api: Api) -> None:
    """Runs the job that fetches the keys, which the scheduler requests."""
    services, issuer = api.services, issuer_of(api.services.settings.access_team)
    assert dispatch.request_access_keys(services.intake, actor="beat") is not None
    job = rows.claim(api.database, job_class=JobClass.OBSERVE)
    tools = cast(Tools, type("SomeTools", (), {"team_keys": PublishedTeamKeys(issuer)}))
    learned = FetchAccessKeys().run(StepContext(job, tools, FakeWatch().watch, cast(Any, None)))
    assert learned is not None
    end = StepEnd(StepState.SUCCEEDED, learned, ends=JobState.SUCCEEDED)
    Ledger(api.database, patience=1).end_step(job.fence, StepPosition(1, "fetch-access-keys"), end)


def asked(api: Api, token: str, method: str = "GET", path: str = "/api/apps", **headers: str) -> int:
    return api.ask(method, path, headers={HEADER: token, **headers}).status_code


def test_a_person_of_the_team_is_signed_in_with_the_scope_of_the_settings(api: Api, team: Team) -> None:
    said = api.get("/api/session", headers={HEADER: team.token()}).json
    assert (said["signed_in"], said["name"], said["scopes"]) == (True, "access ada@example.org", ["read"])
    assert asked(api, team.token()) == 200
    assert asked(api, team.token(), "PUT", "/api/apps/hello") == 403


def test_an_admin_is_named_by_the_settings_and_leaves_its_name_in_the_audit(api: Api, team: Team) -> None:
    token = team.token(email="grace@example.org")
    made = api.put_spec("hello", HELLO, **{HEADER: token, "Origin": "http://localhost"})
    assert made.status_code == 201
    audit = api.get("/api/audit", headers={HEADER: token}).json["items"]
    assert audit[0]["actor"] == "access grace@example.org"


def test_a_service_has_its_id_as_its_name_and_is_no_admin_by_it(api: Api, team: Team) -> None:
    token = team.token(email=None, common_name="grace@example.org")
    said = api.get("/api/session", headers={HEADER: token}).json
    assert (said["name"], said["scopes"]) == ("access grace@example.org", ["read"])


PEM = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
BAD: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 3600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "not valid yet": {"nbf": int(time.time()) + 3600},
    "for another application": {"aud": ["0" * 64]},
    "for no application": {"aud": None},
    "of another team": {"iss": "https://other.cloudflareaccess.com"},
    "of no team": {"iss": None},
    "of another key": {"key": THEIRS},
    "of an unknown key": {"kid": "two"},
    "with another algorithm": {"algorithm": "RS512"},
    "of nobody": {"email": None},
    "of a name that is no text": {"email": ["ada@example.org"]},
    "of a name with a line end": {"email": "ada@example.org\nroot"},
}


@pytest.mark.parametrize("how", BAD)
def test_a_token_that_is_not_for_us_is_refused(api: Api, team: Team, how: str) -> None:
    assert asked(api, team.token(**BAD[how])) == 401


def signed_with_the_public_key(team: Team) -> str:
    """Returns a token that is signed by HMAC with the text of the public key. PyJWT refuses to make such a token, so
    it is put together here.
    """
    head, body, _ = team.token().split(".")
    forged = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT","kid":"one"}').decode()
    import hmac

    mac = hmac.digest(PEM, f"{forged}.{body}".encode(), "sha256")
    assert head != forged
    return f"{forged}.{body}.{jwt.utils.base64url_encode(mac).decode()}"


def test_the_algorithm_is_ours_to_choose(api: Api, team: Team) -> None:
    unsigned = team.token(None, algorithm="none")
    assert [asked(api, each) for each in (unsigned, signed_with_the_public_key(team))] == [401, 401]


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "." * 20, "é", "x" * 9000])
def test_what_is_no_token_is_refused(api: Api, token: str) -> None:
    assert asked(api, token) == 401


def test_a_changed_token_is_refused(api: Api, team: Team) -> None:
    head, body, signature = team.token().split(".")
    assert asked(api, f"{head}.{team.token(email='grace@example.org').split('.')[1]}.{signature}") == 401
    assert asked(api, f"{head}.{body}.{signature[:-8]}AAAAAAAA") == 401


def test_the_cookie_of_access_is_not_enough(api: Api, team: Team) -> None:
    assert api.get("/api/apps", headers={"Cookie": f"CF_Authorization={team.token()}"}).status_code == 401


def test_a_cookie_of_norn_without_its_second_secret_keeps_nobody_out(api: Api, team: Team) -> None:
    cookie = {"Cookie": dict(api.asked_as(Scope.DEPLOY).in_browser().browser)["Cookie"]}
    assert asked(api, team.token(), **cookie) == 200
    assert api.get("/api/session", headers={HEADER: team.token(), **cookie}).json["name"] == "access ada@example.org"
    assert api.get("/api/apps", headers={HEADER: team.token(THEIRS), **cookie}).json["code"] == "csrf"


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_site_changes_nothing(api: Api, team: Team, headers: dict[str, str]) -> None:
    token = team.token(email="grace@example.org")
    assert api.put_spec("hello", HELLO, **{HEADER: token, **headers}).json["code"] == "foreign_page"


def test_functions_are_not_called_by_it(api: Api, team: Team) -> None:
    assert asked(api, team.token(email="grace@example.org"), "POST", "/fn/thumb") == 401


def test_it_makes_no_code_that_signs_others_in(api: Api, team: Team) -> None:
    assert asked(api, team.token(), "POST", "/api/session/codes", Origin="http://localhost") == 403


def test_keys_that_are_a_day_old_admit_nobody(api: Api, team: Team) -> None:
    with api.database.transaction() as tx:
        tx.execute(text("UPDATE access_keys SET seen_at = seen_at - interval '25 hours'"))
    assert asked(api, team.token()) == 401


def test_before_the_first_keys_nobody_is_admitted(api: Api, team: Team) -> None:
    with api.database.transaction() as tx:
        tx.execute(text("DELETE FROM access_keys"))
    assert asked(api, team.token()) == 401


def test_a_withdrawn_key_is_refused_and_its_successor_accepted(api: Api, team: Team) -> None:
    team.answer = {"keys": [public(THEIRS, "two")]}
    fetch(api)
    assert [asked(api, team.token()), asked(api, team.token(THEIRS, kid="two"))] == [401, 200]


def test_keys_stay_while_the_team_cannot_be_reached_and_doctor_says_so(api: Api, team: Team) -> None:
    team.answer = None
    fetch(api)
    token = team.token(email="grace@example.org")
    checks = {each["name"]: each for each in api.get("/api/doctor", headers={HEADER: token}).json["checks"]}
    assert (checks["access"]["status"], "answered 503" in checks["access"]["message"]) == ("warn", True)


@pytest.mark.parametrize("answer", [{"keys": []}, [], "keys", {"keys": [{**public(OURS), "kty": "EC"}]}])
def test_a_document_without_usable_keys_replaces_none(team: Team, answer: object) -> None:
    team.answer = answer
    with pytest.raises(TunnelFailed):
        PublishedTeamKeys(team.issuer).fetch(FakeStop())


@pytest.mark.parametrize("settings", [{"access_team": "acme"}, {"access_audience": AUDIENCE}])
def test_a_team_without_an_audience_is_refused_at_the_start(database: Database, settings: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="belong together"):
        factories.api(database, **settings)


def test_the_name_of_a_team_is_its_address() -> None:
    settings = Settings(access_team="acme", access_audience=AUDIENCE)
    assert issuer_of(settings.access_team) == "https://acme.cloudflareaccess.com"
    with pytest.raises(ValueError, match="name of a team"):
        Settings(access_team="http://evil.example", access_audience=AUDIENCE)


def test_a_scope_of_the_settings_counts(api: Api, team: Team) -> None:
    settings = api.services.settings.model_copy(update={"access_scope": "deploy"})
    sent = Credentials(cast(Any, {HEADER: team.token()}), "127.0.0.1", bytes, "/api/apps")
    found = TeamTokens(api.database, settings).identify(sent)
    assert found is not None
    assert (found.actor.may(Scope.DEPLOY), found.actor.may(Scope.ADMIN), found.ambient) == (True, False, True)
    assert TeamTokens(api.database, settings).identify(replace(sent, path="/fn/thumb")) is None
