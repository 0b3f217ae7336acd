"""Files of the account that runs the stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from norn_tasks.embedded.stores.account import Account

NOT_TEXT = "user shop on \ud800"
"""A text that cannot be encoded, so that writing it fails."""


def test_a_file_is_replaced_as_a_whole_and_read_by_its_account_alone(tmp_path: Path) -> None:
    file, account = tmp_path / "users.acl", Account.own()
    account.own_file(file, "user shop on")
    with pytest.raises(UnicodeEncodeError):
        account.own_file(file, NOT_TEXT)
    assert file.read_text() == "user shop on"
    account.own_file(file, "user bank on")
    assert (file.read_text(), file.stat().st_mode & 0o777, list(tmp_path.iterdir())) == ("user bank on", 0o600, [file])
