"""Files of secrets by Norn and by the program sops: each decrypts the files of the other, and refuses a file that was
changed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from norn_tasks import sealing
from norn_tasks.adapters.sops import SopsFiles
from norn_tasks.adapters.sops.values import SecretsFileRefused
from norn_tasks.adapters.vault import AgeVault
from norn_tasks.domain.errors import SecretsLocked
from norn_tasks.domain.secret import Secret
from tests import sops

KEY = sealing.fresh_key()
PUBLIC = sealing.recipient_of(KEY)
VALUES = {
    "API_KEY": "hunter2!",
    "PEM": "-----BEGIN-----\nfirst\n\nlast\n",
    "SNOW": 'größer ☃ "quoted" # no comment',
    "LOOKS_LIKE_A_NUMBER": "0755",
    "LEFT_unencrypted": "not left unencrypted",
    "sops.user": "joe",
}
FILES = SopsFiles(AgeVault(KEY, Path("/nonexistent")).unwrap)


def secrets(values: dict[str, str]) -> dict[str, Secret]:
    return {name: Secret(value) for name, value in values.items()}


def opened(text: str, files: SopsFiles = FILES) -> dict[str, str]:
    return {name: value.reveal() for name, value in files.opened(text).items()}


@pytest.fixture(scope="module")
def from_sops() -> str:
    """A file that sops has written."""
    return sops.encrypt("# of ours\nAPI_KEY: hunter2!\nPORT: 8080\nRATE: 0.25\nON: true\nOTHER: x\n", PUBLIC)


def test_sops_decrypts_what_is_written_here() -> None:
    written = FILES.written(secrets(VALUES), [PUBLIC])
    assert sops.decrypt(written, KEY) == VALUES
    assert not [value for value in VALUES.values() if value in written]


def test_each_of_several_recipients_decrypts_it() -> None:
    other = sealing.fresh_key()
    written = FILES.written(secrets(VALUES), [sealing.recipient_of(other), PUBLIC])
    assert sops.decrypt(written, other) == opened(written) == VALUES


def test_what_sops_has_written_is_opened(from_sops: str) -> None:
    assert opened(from_sops) == {"API_KEY": "hunter2!", "PORT": "8080", "RATE": "0.25", "ON": "true", "OTHER": "x"}


def test_a_checksum_over_encrypted_values_only_is_known_too() -> None:
    assert opened(sops.encrypt("A: x\nB: y\n", PUBLIC, "--mac-only-encrypted")) == {"A": "x", "B": "y"}


def lines_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name}:"))


CHANGES = {
    "a value": lambda text: text.replace(
        lines_of(text, "OTHER"), lines_of(text, "API_KEY").replace("API_KEY", "OTHER")
    ),
    "a bit": lambda text: re.sub(r"(API_KEY: ENC\[AES256_GCM,data:)(.)", lambda m: m[1] + chr(ord(m[2]) ^ 1), text),
    "a name": lambda text: text.replace("API_KEY:", "APJ_KEY:"),
    "one less": lambda text: text.replace(lines_of(text, "OTHER") + "\n", ""),
    "one twice": lambda text: text.replace(lines_of(text, "OTHER"), lines_of(text, "OTHER") + "\n" + "OTHER: ''"),
    "the order": lambda text: lines_of(text, "OTHER") + "\n" + text.replace(lines_of(text, "OTHER") + "\n", ""),
    "the time": lambda text: re.sub(r'lastmodified: "20', 'lastmodified: "19', text),
    "the checksum": lambda text: re.sub(r"mac: ENC.*", lines_of(text, "API_KEY").replace("API_KEY", "mac"), text),
    "no checksum": lambda text: re.sub(r"mac: ENC.*", 'mac: ""', text),
    "in the clear": lambda text: text.replace(lines_of(text, "OTHER"), "OTHER: mine"),
    "a new one": lambda text: "MORE: " + lines_of(text, "OTHER").removeprefix("OTHER: ") + "\n" + text,
    "a short tag": lambda text: re.sub(r"(API_KEY: .*tag:)[^,]*", r"\1AAAA", text),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_was_changed_is_refused(from_sops: str, change) -> None:
    other = change(from_sops)
    assert other != from_sops
    with pytest.raises(SecretsFileRefused) as refused:
        FILES.opened(other)
    assert "hunter2!" not in refused.value.rendered


def test_a_file_for_another_key_names_the_way_to_add_ours(from_sops: str) -> None:
    stranger = SopsFiles(AgeVault(sealing.fresh_key(), Path("/nonexistent")).unwrap)
    with pytest.raises(SecretsFileRefused, match="not encrypted to the key of this server") as refused:
        stranger.opened(from_sops)
    assert "norn secrets key" in refused.value.hint


def test_a_worker_without_its_key_says_so(from_sops: str) -> None:
    with pytest.raises(SecretsLocked):
        SopsFiles(AgeVault("", Path("/nonexistent")).unwrap).opened(from_sops)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("API_KEY: hunter2!\n", "was not written by sops"),
        ("{", "is not YAML"),
        ("- a\n", "was not written by sops"),
        (yaml.safe_dump({"sops": {"pgp": []}}), "is not encrypted with age"),
        (sops.encrypt("A:\n  B: x\n", PUBLIC), "A: a secret is one text"),
        (sops.encrypt("A_unencrypted: x\n", PUBLIC), "its value is not encrypted"),
    ],
)
def test_what_is_no_such_file_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(SecretsFileRefused, match=sentence):
        FILES.opened(text)


def test_a_recipient_that_is_none_is_refused() -> None:
    with pytest.raises(SecretsFileRefused, match="age1nobody is no public age key"):
        FILES.written(secrets(VALUES), ["age1nobody"])
