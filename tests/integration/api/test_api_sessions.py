"""Sessions: a browser signs in with a token or a code, has exactly the permissions of the token, and is signed out."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import text, update
from werkzeug.datastructures import Headers

from norn_api.access.auth import HEADER, Credentials
from norn_api.access.browsers import BrowserSessions
from norn_api.app import create_app
from norn_api.streaming.concurrency import ConcurrencyLimit, Share
from norn_tasks.domain.access import Scope
from norn_tasks.domain.errors import TooManyRequests
from norn_tasks.store import tables as t
from norn_tasks.store.upkeep import after_restore
from tests import factories as shared
from tests.integration.api import factories
from tests.integration.api.factories import Api


def sign_in(api: Api, **sent: Any) -> Any:
    """Sends a sign-in as a page of this server does."""
    return api.anonymous().post("/api/session", headers={"Origin": factories.HERE}, **sent)


def code_of(api: Api) -> str:
    """Returns a code that signs one browser in."""
    return str(api.post("/api/session/codes").json["code"])


def test_a_token_is_exchanged_for_a_cookie_that_no_script_reads(lasting: Api) -> None:
    made = sign_in(lasting, json={"token": lasting.token})
    assert made.status_code == 201
    name, *attributes = made.headers["Set-Cookie"].split("; ")
    assert name.startswith("norn_session_8800=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/api"} <= set(attributes)
    assert "Secure" not in attributes


def test_the_cookie_travels_by_tls_alone_off_loopback(lasting: Api) -> None:
    page = {"Host": "norn.example", "Origin": "https://norn.example"}
    made = lasting.anonymous().post("/api/session", json={"token": lasting.token}, headers=page)
    assert "Secure" in made.headers["Set-Cookie"].split("; ")


def test_a_page_without_tls_from_another_machine_signs_nobody_in(lasting: Api) -> None:
    page = {"Host": "norn.example", "Origin": "http://norn.example"}
    refused = lasting.anonymous().post("/api/session", json={"token": lasting.token}, headers=page)
    assert (refused.status_code, refused.json["code"]) == (403, "insecure_page")


def test_a_page_of_another_origin_signs_nobody_in(lasting: Api) -> None:
    page = {"Origin": "https://evil.example"}
    refused = lasting.anonymous().post("/api/session", json={"token": lasting.token}, headers=page)
    assert (refused.status_code, refused.json["code"]) == (403, "foreign_page")


def test_the_session_says_who_is_signed_in_and_what_for(api: Api) -> None:
    shown = api.asked_as(Scope.DEPLOY, apps=("blog",)).in_browser().get("/api/session").json
    assert (shown["signed_in"], shown["name"], shown["apps"]) == (True, "deploy-of-blog", ["blog"])
    assert shown["scopes"] == ["deploy", "invoke", "read"]
    assert (shown["session"], shown["expires_at"] is None) == (1, False)


def test_a_stranger_is_not_signed_in(lasting: Api) -> None:
    shown = lasting.anonymous().get("/api/session")
    assert (shown.status_code, shown.json["signed_in"], shown.json["scopes"]) == (200, False, [])


def test_the_cookie_alone_is_nobody(lasting: Api) -> None:
    cookie = lasting.in_browser().without(HEADER)
    assert cookie.get("/api/session").json["signed_in"] is False
    refused = cookie.get("/api/apps")
    assert (refused.status_code, refused.json["code"]) == (403, "csrf")


def test_the_second_secret_of_another_session_does_not_help(api: Api) -> None:
    ours, theirs = api.asked_as(Scope.READ).in_browser(), api.in_browser()
    mixed = theirs.get("/api/apps", headers={HEADER: dict(ours.browser)[HEADER]})
    assert (mixed.status_code, mixed.json["code"]) == (403, "csrf")


def test_another_cookie_of_the_same_name_locks_nobody_out(api: Api) -> None:
    ours, theirs = dict(api.in_browser().browser), dict(api.asked_as(Scope.READ).in_browser().browser)
    for planted in ("norn_session_8800=x", theirs["Cookie"], f"norn_session_8800=x; {theirs['Cookie']}"):
        sent = {**ours, "Cookie": f"{planted}; {ours['Cookie']}"}
        shown = api.anonymous().get("/api/session", headers=sent).json
        assert (shown["name"], shown["session"]) == ("admin", 1), planted
        assert api.anonymous().get("/api/apps", headers=sent).status_code == 200


def test_the_database_holds_neither_secret(lasting: Api) -> None:
    browser = dict(lasting.in_browser().browser)
    code = code_of(lasting)
    with lasting.database.transaction() as tx:
        rows = [*tx.exec_driver_sql("SELECT * FROM sessions"), *tx.exec_driver_sql("SELECT * FROM sign_in_codes")]
    kept = str(rows)
    assert [secret for secret in (browser["Cookie"].partition("=")[2], browser[HEADER], code) if secret in kept] == []


def test_a_signed_out_browser_is_a_stranger(lasting: Api) -> None:
    browser = lasting.in_browser()
    gone = browser.ask("DELETE", "/api/session")
    assert (gone.status_code, "Max-Age=0" in gone.headers["Set-Cookie"]) == (204, True)
    assert browser.get("/api/apps").status_code == 401


def test_revoking_the_token_ends_its_sessions(api: Api) -> None:
    browser = api.asked_as(Scope.READ).in_browser()
    token = next(each for each in api.get("/api/tokens").json["items"] if each["name"] == "read")
    assert browser.get("/api/apps").status_code == 200
    api.ask("DELETE", f"/api/tokens/{token['id']}")
    assert (browser.get("/api/apps").status_code, api.get("/api/sessions").json["items"]) == (401, [])


def test_a_session_ends_by_its_time(api: Api) -> None:
    browser = api.asked_as(Scope.READ).in_browser()
    with api.database.transaction() as tx:
        tx.execute(update(t.SessionRow).values(expires_at=t.SessionRow.created_at))
    assert browser.get("/api/apps").status_code == 401


def test_a_restored_backup_signs_nobody_in(api: Api) -> None:
    browser = api.asked_as(Scope.READ).in_browser()
    with api.database.transaction() as tx:
        after_restore.settle(tx)
    api.services.forget_senders()
    assert browser.get("/api/apps").status_code == 401


def test_an_admin_lists_and_ends_every_session(api: Api) -> None:
    browser = api.asked_as(Scope.READ).in_browser()
    (seen,) = api.get("/api/sessions").json["items"]
    assert (seen["token"], seen["agent"][:8], seen["current"]) == ("read", "Werkzeug", False)
    assert api.ask("DELETE", f"/api/sessions/{seen['id']}").status_code == 204
    assert browser.get("/api/apps").status_code == 401


def test_others_see_and_end_the_sessions_of_their_own_token(api: Api) -> None:
    theirs, ours = api.in_browser(), api.asked_as(Scope.READ).in_browser()
    assert [(each["token"], each["current"]) for each in ours.get("/api/sessions").json["items"]] == [("read", True)]
    assert ours.ask("DELETE", f"/api/sessions/{theirs.get('/api/session').json['session']}").status_code == 404
    assert theirs.get("/api/apps").status_code == 200


def test_a_code_signs_in_once(api: Api) -> None:
    code = code_of(api.asked_as(Scope.READ))
    made = sign_in(api, json={"code": code})
    assert (made.status_code, made.json["name"], made.json["scopes"]) == (201, "read", ["read"])
    assert sign_in(api, json={"code": code}).status_code == 401


def test_of_two_browsers_with_one_code_one_gets_in(lasting: Api) -> None:
    code, statuses = code_of(lasting), []
    threads = [
        threading.Thread(target=lambda: statuses.append(sign_in(lasting, json={"code": code}).status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 401, 401, 401]


def test_an_old_code_is_refused(lasting: Api) -> None:
    code = code_of(lasting)
    with lasting.database.transaction() as tx:
        tx.execute(update(t.SignInCodeRow).values(expires_at=t.SignInCodeRow.expires_at - text("interval '61 s'")))
    assert sign_in(lasting, json={"code": code}).json["code"] == "unauthenticated"


def test_a_session_makes_no_codes_and_so_does_not_outlive_its_end(lasting: Api) -> None:
    assert lasting.in_browser().post("/api/session/codes").status_code == 403


@pytest.mark.parametrize("body", [{}, {"token": "norn_x", "code": "y"}])
def test_a_sign_in_names_a_token_or_a_code(lasting: Api, body: dict[str, str]) -> None:
    assert sign_in(lasting, json=body).status_code == 422


def test_guessing_is_slowed_down(api: Api) -> None:
    statuses = [sign_in(api, json={"token": f"norn_{number}"}).status_code for number in range(22)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert sign_in(api, json={"token": api.token}).status_code == 201


def test_signing_in_and_out_are_in_the_audit(api: Api) -> None:
    sign_in(api, json={"token": "norn_wrong"})
    api.asked_as(Scope.READ).in_browser().ask("DELETE", "/api/session")
    newest = api.get("/api/audit?limit=3").json["items"]
    assert [(row["actor"], row["method"], row["status"], row["about"]) for row in newest] == [
        ("read", "DELETE", 204, "session 1"), ("read", "POST", 201, "session 1"), ("anonymous", "POST", 401, ""),
    ]  # fmt: skip


def test_without_tokens_everybody_is_signed_in(lasting: Api) -> None:
    open_door = create_app(shared.intake(lasting.database, auth="off")).test_client()
    shown = open_door.get("/api/session").json
    assert (shown["signed_in"], shown["auth"], "admin" in shown["scopes"]) == (True, "off", True)
    made = open_door.post("/api/session", json={"code": "any"})
    assert (made.status_code, made.json["csrf"], "Set-Cookie" in made.headers) == (200, "", False)
    assert open_door.post("/api/session/codes").json["code"] is None


def test_a_cookie_counts_below_the_api_only(lasting: Api) -> None:
    browser = lasting.in_browser()
    assert [browser.get(path).status_code for path in ("/fn/hello", "/metrics")] == [401, 401]


def test_servers_on_other_ports_of_a_host_have_cookies_of_their_own(lasting: Api) -> None:
    cookie = dict(lasting.in_browser().browser)["Cookie"]
    sent = Credentials(Headers({"Cookie": cookie}), "x", bytes, "/api/apps")
    assert BrowserSessions(lasting.database, 8800).find(sent) is not None
    assert BrowserSessions(lasting.database, 8801).find(sent) is None


def test_browsers_leave_half_of_the_places_to_programs() -> None:
    places = ConcurrencyLimit(20, "streams")

    def browser(number: int) -> tuple[Share, ...]:
        return (Share("sessions", 0.5, "the browsers"), Share(f"session {number}", 0.1, "your session"))

    for number in range(5):
        for _ in range(2):
            places.take(shares=browser(number))
    with pytest.raises(TooManyRequests, match="the browsers already holds 10 streams"):
        places.take(shares=browser(5))
    for _ in range(10):
        places.take()


def test_one_browser_leaves_places_to_the_others() -> None:
    places, mine = ConcurrencyLimit(20, "streams"), (Share("session 1", 0.1, "your session"),)
    give_back = [places.take(shares=mine) for _ in range(2)]
    with pytest.raises(TooManyRequests, match="your session already holds 2 streams"):
        places.take(shares=mine)
    give_back[0]()
    places.take(shares=mine)
