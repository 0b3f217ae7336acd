"""The system account under which the edge (the public HTTPS entry) runs if root started Norn."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from norn_tasks.embedded.doctor import edge_account
from norn_tasks.embedded.edge.rights import OWN, candidates

USERS = {
    name: pwd.struct_passwd((name, "x", number, number, "", "/nonexistent", "/usr/sbin/nologin"))
    for name, number in (("root", 0), ("postgres", 101), ("norn-stores", 999), (OWN, 998))
}


@pytest.mark.parametrize(
    ("passes", "edge", "database", "names"),
    [
        (999, None, 999, [OWN, "norn-stores"]),  # a new edge has an account of its own
        (101, None, 101, [OWN, "postgres"]),
        (0, None, None, [OWN, "norn-stores", "postgres"]),  # the database is elsewhere
        (101, 101, 101, ["postgres", OWN]),  # the owner of the certificates keeps them
        (999, 998, 999, [OWN, "norn-stores"]),
        (0, None, 0, []),  # only root may enter the data directory
        (0, 0, None, []),  # the certificates belong to root
    ],
)
def test_the_account_of_the_edge_alone_goes_before_that_of_the_stores(
    passes: int, edge: int | None, database: int | None, names: list[str]
) -> None:
    found = [account for account in candidates(USERS, passes, edge, database) if not account.prefix]
    assert [account.name for account in found] == names
    assert all(account.gid == passes for account in found if passes)


@pytest.mark.parametrize(
    ("edge", "database", "warned"),
    [("postgres", "postgres", True), ("norn-stores", "norn-stores", True), (OWN, "norn-stores", False),
     ("anna", "anna", False), ("root", "root", False)],
)  # fmt: skip
def test_the_doctor_says_that_the_edge_has_the_account_of_the_database(edge: str, database: str, warned: bool) -> None:
    found = list(edge_account(edge, database, Path("/data/edge")))
    assert [each.hint.split("; ")[2] for each in found] == [f"chown -R {OWN}: /data/edge"] * warned
