"""Uploaded archives may come from an attacker: which entries they may contain, and which are refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable

import pytest

from norn_tasks.domain.errors import BodyTooLarge, InvalidRequest, NornError
from norn_tasks.domain.sources import archive
from norn_tasks.domain.sources.links import leading_out
from norn_tasks.domain.sources.source_tree import MOST_FILES, Tree

MIB = 2**20
Fill = Callable[[tarfile.TarFile], None]


def entry(name: str, content: bytes = b"", **more: object) -> Fill:
    """Returns a function that adds an entry of this name, a file unless `type` says otherwise."""

    def add(opened: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        for key, value in more.items():
            setattr(member, key, value)
        opened.addfile(member, io.BytesIO(content))

    return add


def link(name: str, target: str) -> Fill:
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def packed(*fills: Fill) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz", format=tarfile.PAX_FORMAT) as opened:
        for fill in fills:
            fill(opened)
    return into.getvalue()


def read(data: bytes, most: int = MIB) -> Tree:
    return archive.read(io.BytesIO(data), most, archive.DiscardingConsumer())


def test_a_tree_is_named_by_what_it_holds_and_not_by_its_archive() -> None:
    one = packed(entry("a", b"1"), entry("d/b", b"2"))
    two = packed(entry("./d", type=tarfile.DIRTYPE), entry("d/b", b"2", mtime=7, uid=3), entry("a", b"1"))
    assert read(one) == read(two)


@pytest.mark.parametrize(
    "other",
    [(entry("a", b"2"),), (entry("b", b"1"),), (entry("a", b"1", mode=0o755),), (link("a", "1"),),
     (entry("a", b"1"), entry("d", type=tarfile.DIRTYPE))],
    ids=["content", "name", "executable", "kind", "an empty directory"],
)  # fmt: skip
def test_another_tree_has_another_name(other: tuple[Fill, ...]) -> None:
    assert read(packed(*other)).revision != read(packed(entry("a", b"1"))).revision


WHOLE = gzip.decompress(packed(entry("a", b"1"), entry("b", b"2")))
SECOND = 2 * 512
"""The position of the second entry's header."""


def damaged(at: int, by: bytes) -> bytes:
    return WHOLE[: SECOND + at] + by + WHOLE[SECOND + at + len(by) :]


@pytest.mark.parametrize(
    "plain",
    [
        damaged(148, b"0000000\0"),
        damaged(124, b"not a size\0\0"),
        damaged(0, b"\xff" * 512),
        WHOLE[: SECOND + 100],
        WHOLE[:SECOND] + bytes(512) + WHOLE[SECOND:],
        WHOLE + b"more",
    ],
    ids=["checksum", "size", "nonsense", "cut", "an end in the middle", "something behind the end"],
)
def test_an_archive_that_is_damaged_behind_its_first_entry_is_refused(plain: bytes) -> None:
    with pytest.raises(InvalidRequest, match="it is not a complete"):
        read(gzip.compress(plain))


@pytest.mark.parametrize("plain", [WHOLE[: 4 * 512], WHOLE[: 5 * 512], WHOLE + bytes(20_000)])
def test_an_archive_may_end_with_any_number_of_zeros(plain: bytes) -> None:
    assert read(gzip.compress(plain)).files == 2


def test_git_is_no_part_of_it() -> None:
    assert read(packed(entry("a"), entry(".git/config"), entry("b/.git"))).files == 1


def test_links_within_the_tree_are_welcome() -> None:
    fills = (entry("d/e/f", b""), link("up", "d/e"), link("d/e/back", "../../d"), link("gone", "not/there"))
    assert read(packed(*fills)).files == 6


PAX = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "a", "GNU.sparse.realsize": "99999999999"}
HOSTILE: dict[str, tuple[Fill, ...]] = {
    "absolute path": (entry("/etc/passwd"),),
    "parent": (entry("../a"),),
    "parent in the middle": (entry("a/../../b"),),
    "absolute link": (link("a", "/etc/passwd"),),
    "link to the parent": (link("a", ".."),),
    "link out in the middle": (entry("d/x"), link("d/a", "../../b")),
    "link out through a link": (entry("a/b/c"), link("a/b/c2", "../.."), link("m", "a/b/c2/..")),
    "link to itself": (link("a", "a"),),
    "links in a circle": (link("a", "b"), link("b", "a")),
    "empty link": (link("a", ""),),
    "file below a link": (link("a", "d"), entry("a/b")),
    "file below a file": (entry("a"), entry("a/b")),
    "link where a directory was": (entry("a/b"), link("a", "b")),
    "twice": (entry("a"), entry("a")),
    "hard link": (entry("a"), entry("b", type=tarfile.LNKTYPE, linkname="a")),
    "hard link to outside": (entry("b", type=tarfile.LNKTYPE, linkname="/etc/passwd"),),
    "device": (entry("a", type=tarfile.BLKTYPE, devmajor=8),),
    "character device": (entry("a", type=tarfile.CHRTYPE, devmajor=1, devminor=3),),
    "pipe": (entry("a", type=tarfile.FIFOTYPE),),
    "sparse file": (entry("a", b"1\n0\n1\n" + bytes(506), pax_headers=PAX),),
    "long PAX header": (entry("a", pax_headers={"comment": "x" * 17_000}),),
    "long GNU header": (entry("x", b"x" * 17_000, type=tarfile.GNUTYPE_LONGLINK), entry("b")),
    "long name": (entry("a" * 256),),
    "deep": (entry("/".join("d" * 65)),),
    "nothing": (),
    "nothing but git": (entry(".git/config"),),
}


@pytest.mark.parametrize("fills", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_has_no_business_in_a_source_is_refused(fills: tuple[Fill, ...]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(packed(*fills))
    assert refused.value.hint


WHOLE = packed(entry("a", b"x" * 5000), entry("b", b"y" * 5000))


@pytest.mark.parametrize(
    "data",
    [b"", b"not an archive", gzip.compress(b"not a tar"), gzip.compress(b""), WHOLE[:-9], WHOLE[: len(WHOLE) // 2],
     WHOLE[:-6] + b"\0" + WHOLE[-5:], gzip.compress(gzip.decompress(WHOLE)[:3000])],
    ids=["empty", "text", "zipped text", "zipped nothing", "cut", "half", "wrong sum", "half a tar"],
)  # fmt: skip
def test_what_is_no_whole_archive_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="not a complete tar"):
        read(data)


def test_a_tree_over_the_cap_is_refused_before_it_is_read() -> None:
    with pytest.raises(BodyTooLarge, match="larger than 1 MiB"):
        read(packed(entry("a", bytes(MIB // 2)), entry("b", bytes(MIB // 2 + 1))))


def test_an_archive_of_zeros_is_given_up_while_it_is_unpacked() -> None:
    bomb = gzip.compress(tarfile.TarInfo("a").tobuf() + bytes(200 * MIB), 1)
    with pytest.raises(BodyTooLarge):
        read(bomb)


def test_more_entries_than_the_cap_are_refused() -> None:
    many = b"".join(tarfile.TarInfo(f"f{n}").tobuf() for n in range(MOST_FILES + 1))
    with pytest.raises(BodyTooLarge, match="50000 files"):
        read(gzip.compress(many, 1))


def test_paths_that_would_fill_the_memory_are_refused() -> None:
    deep = "/".join(["d" * 250] * 7)
    with pytest.raises(InvalidRequest, match="longer than 16 MiB together"):
        read(packed(*(entry(f"{deep}/{n}") for n in range(10_000))), 32 * MIB)


def test_a_chain_of_headers_is_no_way_down() -> None:
    chain = tarfile.TarInfo("a")
    chain.type = tarfile.XHDTYPE
    with pytest.raises(NornError):
        read(gzip.compress(chain.tobuf() * 5000 + bytes(1024)))


def pax(kind: bytes, key: str) -> bytes:
    """Returns a header of 4 KiB, for the next entry or for all following ones."""
    content = f"4096 {key}={'x' * (4096 - len(key) - 7)}\n".encode()
    member = tarfile.TarInfo("pax")
    member.type, member.size = kind, len(content)
    return member.tobuf(tarfile.USTAR_FORMAT) + content


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE], ids=["of its own", "for all that come"])
def test_headers_of_thousands_of_entries_are_not_kept(kind: bytes) -> None:
    entries = (pax(kind, f"norn.{n}") + tarfile.TarInfo(f"f{n}").tobuf() for n in range(4000))
    data = gzip.compress(b"".join(entries) + bytes(1024), 1)
    tracemalloc.start()
    try:
        assert read(data, 32 * MIB).files == 4000
        assert tracemalloc.get_traced_memory()[1] < 6 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [-512, -1])
def test_a_negative_size_is_refused(size: int) -> None:
    member = tarfile.TarInfo("a")
    member.size = size
    with pytest.raises(InvalidRequest):
        read(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(10240)))


def test_a_link_that_only_passes_outside_leads_out() -> None:
    assert leading_out({"a": "../x/b"}) == "a"


def test_chains_of_links_are_followed() -> None:
    assert leading_out({f"l{n}": f"l{n + 1}" for n in range(30)}) is None
