"""Encrypted files of secrets: their format, and the rows in which they wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret


class SopsFormat(Protocol):
    """Opens and writes files of secrets as the program sops does, with age."""

    def opened(self, text: str) -> dict[str, Secret]:
        """Returns the values by name.

        Raises SecretsFileRefused for a file of another format, for another key, or changed after it was written;
        SecretsLocked when the key is missing.
        """

    def written(self, values: Mapping[str, Secret], recipients: Sequence[str]) -> str:
        """Returns a file that the private keys of these public keys open; raises SecretsFileRefused."""


class SecretFiles(Protocol):
    """The files of jobs, which are encrypted at all times. Every change is fenced: it may raise LeaseLost."""

    def find(self, job: int) -> str | None:
        """Returns the file of a job; None if it was imported already."""

    def keep(self, job: int, app: str, text: str, fence: Fence) -> None:
        """Keeps the file that a job has written."""

    def set_secrets(self, app: str, values: Mapping[str, Secret], fence: Fence) -> dict[str, int]:
        """Sets the secrets of the job's file for the person who sent it, deletes it, and returns the new versions.

        Raises Conflict for a name that Norn itself sets, InvalidRequest over the app's limits.
        """
