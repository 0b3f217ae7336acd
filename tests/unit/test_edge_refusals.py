"""The messages of an edge that may not open its ports, and the states that `norn doctor` reads."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from norn_tasks.domain.errors import InvalidRequest
from norn_tasks.embedded import doctor
from norn_tasks.embedded.edge.listening import refused
from norn_tasks.embedded.edge.reports import EdgeState, Reports, state
from norn_tasks.settings import load
from tests.servers import free_port


def test_an_ordinary_user_learns_what_to_do_about_a_low_port() -> None:
    error = refused(80, socket.SOCK_STREAM, OSError(errno.EACCES, "no"))
    assert error.sentence == "the edge may not open port 80 as an ordinary user"
    assert "sysctl -w net.ipv4.ip_unprivileged_port_start=80" in error.hint and "NORN_EDGE_HTTP_PORT" in error.hint


def test_doctor_says_what_the_edge_reports(tmp_path: Path) -> None:
    port = free_port()
    settings = load({"NORN_EDGE": "caddy", "NORN_DATA_DIR": str(tmp_path), "NORN_EDGE_DOOR": str(port)})
    settings.edge_dir.mkdir()
    assert [found.status for found in doctor.edge(settings)] == ["warn"]
    reports = Reports(settings.edge_dir)
    reports.trouble(refused(443, socket.SOCK_DGRAM, OSError(errno.EADDRINUSE, "taken")))
    found = next(doctor.edge(settings))
    assert (found.status, found.message) == ("fail", "the edge cannot open port 443 (UDP): another program has it")
    reports.serving()
    found = next(doctor.edge(settings))
    assert found.message == f"the router does not serve public names at http://127.0.0.1:{port}"
    assert list(doctor.edge(load({"NORN_DATA_DIR": str(tmp_path)}))) == []


def test_doctor_says_that_the_rules_of_a_tunnel_lead_nowhere(tmp_path: Path) -> None:
    environ = {"NORN_DATA_DIR": str(tmp_path), "NORN_EDGE_DOOR": str(free_port())}
    found = list(doctor.door(load({**environ, "NORN_CLOUDFLARE_TUNNEL": "home"})))
    assert [(each.name, each.status) for each in found] == [("local:door", "fail")]
    assert "NORN_EDGE_DOOR" in found[0].hint
    assert list(doctor.door(load(environ))) == []


def test_a_report_is_written_through_no_link_and_over_the_rest_of_one_that_was_cut_short(tmp_path: Path) -> None:
    elsewhere, edge = tmp_path / "passwd", tmp_path / "edge"
    elsewhere.write_text("root")
    edge.mkdir()
    (edge / "state.part").symlink_to(elsewhere)
    Reports(edge).serving()
    assert (elsewhere.read_text(), state(edge)) == ("root", EdgeState())
    (edge / "state.part").touch(mode=0o400)
    Reports(edge).trouble(refused(443, socket.SOCK_STREAM, OSError(errno.EADDRINUSE, "taken")))
    assert state(edge) != EdgeState() and not (edge / "state.part").exists()


@pytest.mark.parametrize("issuer", ["acme", "internal", "https://ca.internal:14000/dir"])
def test_an_issuer_is_a_name_or_the_address_of_a_directory(issuer: str) -> None:
    assert load({"NORN_EDGE_ISSUER": issuer}).edge_issuer == issuer
    with pytest.raises(InvalidRequest, match="NORN_EDGE_ISSUER"):
        load({"NORN_EDGE_ISSUER": issuer.upper() + "://x y"})
