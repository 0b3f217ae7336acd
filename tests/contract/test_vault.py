"""The promises of every vault (encryption of secrets), tested on the fake and on age."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from norn_tasks import sealing
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Sealed
from norn_tasks.ports import Vault
from tests.fakes import vault as fake


@dataclass(frozen=True)
class World:
    """A vault, a vault without its private key, and a function that encrypts a text so that both could decrypt it with
    the key.
    """

    vault: Vault
    locked: Vault
    seal: Callable[[str], Sealed]


@pytest.fixture(params=["fake", "age"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "fake":
        return World(fake.FakeVault(), fake.FakeVault(locked=True), lambda text: fake.sealed("A", text))
    key = sealing.fresh_key()
    public = sealing.recipient_of(key)
    (tmp_path / "age.key").write_text(f"# public key: {public}\n{key}\n")
    return World(
        AgeVault("", tmp_path / "age.key"),
        AgeVault("", tmp_path / "nowhere"),
        lambda text: Sealed("A", 1, sealing.seal(text, public)),
    )


@pytest.mark.parametrize("text", ["x", "two\nlines\n", "größer ☃", "a" * 131_000])
def test_what_was_sealed_is_opened(world: World, text: str) -> None:
    assert world.vault.open(world.seal(text)).reveal() == text


def test_without_the_key_nothing_is_opened(world: World) -> None:
    with pytest.raises(SecretsLocked, match="cannot be opened"):
        world.locked.open(world.seal("hunter2"))


# Only of age


def test_the_sealed_text_is_nowhere_in_what_is_kept() -> None:
    assert b"hunter2" not in sealing.seal("hunter2", sealing.recipient_of(sealing.fresh_key()))


def test_another_key_is_told_as_one(tmp_path: Path) -> None:
    sealed = Sealed("API_KEY", 1, sealing.seal("hunter2", sealing.recipient_of(sealing.fresh_key())))
    with pytest.raises(
        SecretsLocked, match="API_KEY cannot be opened: it was encrypted for a key that this worker does not have"
    ):
        AgeVault(sealing.fresh_key(), tmp_path / "nowhere").open(sealed)


def test_what_is_no_key_is_told_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "age.key").write_text("AGE-SECRET-KEY-1NOT\n")
    sealed = Sealed("API_KEY", 1, sealing.seal("hunter2", sealing.recipient_of(sealing.fresh_key())))
    with pytest.raises(SecretsLocked) as told:
        AgeVault("", tmp_path / "age.key").open(sealed)
    assert "no private age key" in told.value.sentence and "SECRET-KEY" not in told.value.sentence


def test_a_key_in_the_environment_needs_no_file(tmp_path: Path) -> None:
    key = sealing.fresh_key()
    sealed = Sealed("A", 1, sealing.seal("hunter2", sealing.recipient_of(key)))
    assert AgeVault(f" {key}\n", tmp_path / "nowhere").open(sealed).reveal() == "hunter2"
