"""Logins of private repositories over the API: each belongs to one git server, and its token can never be read
again.
"""

from __future__ import annotations

from norn_tasks import sealing
from norn_tasks.store.apps import logins, secrets
from tests.integration.api.factories import Api

BLOG = "https://git.example/ada/blog.git"
ELSEWHERE = "https://git.example:9443/ada/blog.git"


def test_a_login_is_not_given_to_another_port_of_its_host(api: Api) -> None:
    with api.database.transaction() as tx:
        secrets.remember_recipient(tx, sealing.recipient_of(sealing.fresh_key()))
    names = [api.ask("PUT", "/api/repositories", json={"url": BLOG, "token": "one"}).json["repository"]]
    with api.database.transaction() as tx:
        assert (logins.sealed_of(tx, ELSEWHERE), logins.sealed_of(tx, BLOG) is None) == (None, False)
    names.append(api.ask("PUT", "/api/repositories", json={"url": ELSEWHERE, "token": "two"}).json["repository"])
    listed = api.get("/api/repositories").json["items"]
    assert names == ["git.example/ada/blog", "git.example:9443/ada/blog"]
    assert (sorted(each["repository"] for each in listed), "token" in listed[0]) == (sorted(names), False)
