"""A secret in the output of a program in a replica is hidden, also if it comes in parts; a typed letter is
echoed soon.
"""

from __future__ import annotations

from norn_tasks.domain.redaction import Redaction
from norn_tasks.domain.secret import Secret
from norn_tasks.steps.redacted_terminal import RedactedTerminal
from tests.fakes.terminal import FakeTerminal
from tests.servers import wait_until

HIDDEN = Redaction([Secret("hunter2!")])


def test_a_secret_in_pieces_is_hidden_on_both_streams() -> None:
    reader = FakeTerminal()
    terminal = RedactedTerminal(reader, HIDDEN, window=False)
    for stream in ("stdout", "stderr"):
        for piece in (b"it is hun", b"ter2", b"! \xff hunt"):
            terminal.wrote(stream, piece)
    terminal.ended(3)
    assert reader.read == {"stdout": b"it is *** \xff hunt", "stderr": b"it is *** \xff hunt"}
    assert reader.exit_code == 3


def test_a_letter_that_may_begin_a_secret_is_echoed() -> None:
    reader = FakeTerminal()
    RedactedTerminal(reader, HIDDEN, window=True).wrote("stdout", b"h")
    wait_until(lambda: reader.read["stdout"] == b"h", 5, "the letter is echoed")


def test_in_a_window_too_a_secret_is_hidden() -> None:
    reader = FakeTerminal()
    terminal = RedactedTerminal(reader, HIDDEN, window=True)
    terminal.wrote("stdout", b"it is hun")
    terminal.wrote("stdout", b"ter2!\r\n")
    terminal.ended(0)
    assert reader.read["stdout"] == b"it is ***\r\n"
