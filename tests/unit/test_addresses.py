"""Which IP addresses count as public, in every notation."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from norn_tasks.domain.addresses import inward, public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1",
        "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "192.88.99.1", "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:fffe::1", "::169.254.169.254", "::1.1.1.1", "::ffff:0:169.254.169.254", "fec0::1", "3fff::1",
        "5f00::1",
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


def spellings(address: IPv4Address) -> list[str]:
    """Returns an address in all notations that resolvers and clients accept."""
    whole, (a, b, c, d) = int(address), address.packed
    return [
        str(address),
        f"{address}.",
        str(whole),
        hex(whole),
        f"0{whole:o}",
        f"{a}.{b}.{c * 256 + d}",
        f"{a}.{whole % 2**24}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"[::ffff:{address}]",
        f"[::ffff:{whole >> 16:x}:{whole % 65536:x}]",
        f"[64:ff9b::{address}]",
        f"[2002:{whole >> 16:x}:{whole % 65536:x}::]",
        f"[::{address}]",
        f"[64:ff9b:1::{address}]",
        str(address).translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        str(address).replace(".", "。"),
    ]


@pytest.mark.parametrize("network", [
    "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8",
    "168.63.129.16/32", "198.18.0.0/15", "240.0.0.0/4",
])  # fmt: skip
def test_the_ends_of_each_inward_network_lead_inwards_in_every_spelling(network: str) -> None:
    ends = (IPv4Network(network)[0], IPv4Network(network)[-1])
    assert [each for end in ends for each in spellings(end) if not inward(each)] == []
