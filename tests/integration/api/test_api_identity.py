"""The chain of authenticators, signed permissions, and content policies as properties of routes."""

from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from norn_api.access.auth import AuthenticatorChain, Credentials, Identity
from norn_api.access.content import POLICIES, ContentPolicy
from norn_api.access.permissions import Permission, require
from norn_api.app import create_app
from norn_tasks.domain.access import Actor, Scope
from norn_tasks.domain.errors import Unauthenticated
from tests.integration.api.factories import Api


class BySession:
    """An authenticator of another kind: a cookie that names a session."""

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the reader whose session the cookie names."""
        if credentials.headers.get("Cookie") != "norn=session-1":
            return None
        return Identity(Actor("joe", frozenset({Scope.READ})))


class BySignature:
    """An authenticator of another kind: a header that signs the body."""

    def identify(self, credentials: Credentials) -> Identity | None:
        """Returns the signer if the signature belongs to the body."""
        given = credentials.headers.get("X-Signature")
        return Identity(Actor("forge.example"), signed=True) if given == credentials.body().hex() else None


def test_a_further_authenticator_lets_its_senders_in_with_their_scopes(api: Api) -> None:
    client = create_app(api.services.intake, [BySession()]).test_client(use_cookies=False)
    cookie = {"Cookie": "norn=session-1"}
    assert client.get("/api/apps", headers=cookie).status_code == 200
    assert client.get("/api/tokens", headers=cookie).status_code == 403
    assert client.get("/api/apps", headers={"Cookie": "norn=session-2"}).status_code == 401


def test_tokens_are_good_beside_a_further_authenticator(api: Api) -> None:
    client = create_app(api.services.intake, [BySession()]).test_client(use_cookies=False)
    assert client.get("/api/tokens", headers={"Authorization": f"Bearer {api.token}"}).status_code == 200


def test_a_signed_permission_takes_a_signature_and_no_token() -> None:
    signed = Permission(None, signed=True)
    require(signed, Identity(Actor("forge.example"), signed=True), None)
    with pytest.raises(Unauthenticated, match="needs a signed body"):
        require(signed, Identity(Actor("root", frozenset({Scope.ADMIN}))), None)


def test_a_signature_is_compared_with_the_raw_body() -> None:
    chain = AuthenticatorChain([BySignature()])
    assert chain.identify(Credentials(Headers({"X-Signature": "6869"}), "x", lambda: b"hi")).signed
    with pytest.raises(Unauthenticated):
        chain.identify(Credentials(Headers({"X-Signature": "6869"}), "x", lambda: b"ho"))


def test_every_listed_policy_belongs_to_a_route(api: Api) -> None:
    assert set(POLICIES) <= {rule.rule for rule in api.app.url_map.iter_rules()}


@pytest.mark.parametrize(
    ("path", "policy"),
    [("/", ContentPolicy.PAGE), ("/assets/x.js", ContentPolicy.PAGE), ("/api/docs", ContentPolicy.DOCS),
     ("/api/version", ContentPolicy.DATA), ("/fn/blog", ContentPolicy.FOREIGN),
     ("/nowhere", ContentPolicy.DATA)],
)  # fmt: skip
def test_a_response_has_the_policy_of_its_route(api: Api, path: str, policy: ContentPolicy) -> None:
    headers = api.get(path).headers
    assert (headers["Content-Security-Policy"], headers["X-Content-Type-Options"]) == (policy, "nosniff")
