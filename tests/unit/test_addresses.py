"""Which addresses are public, however they are written."""

from __future__ import annotations

import pytest

from norn_tasks.domain.addresses import inward, public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_of_no_public_network(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"]
)
def test_an_address_of_the_public_internet(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "169.254.169.254", "[::1]",
        "[fe80::1%25eth0]", "[::ffff:10.0.0.1]", "１２７.０.０.１", "127。0。0。1", "localhost", "LOCALHOST.",
        "app.localhost", "localhost.localdomain", "host.docker.internal", "metadata.google.internal",
    ],
)  # fmt: skip
def test_a_host_that_leads_inwards(host: str) -> None:
    assert inward(host)


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "1.1.1.1", "[2606:4700::1111]", "127.0.0.1.x", ""]
)
def test_a_host_that_may_lead_anywhere(host: str) -> None:
    assert not inward(host)
