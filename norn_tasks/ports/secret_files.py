"""The port for encrypted files of secrets: their format, and the rows that hold them for a worker or a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from norn_tasks.domain.jobs.job import Fence
from norn_tasks.domain.secret import Secret


class SopsFormat(Protocol):
    """Reads and writes files of secrets in the format of the program sops, encrypted with age."""

    def opened(self, text: str) -> dict[str, Secret]:
        """Decrypts a file, and returns the values by name.

        Raises SecretsFileRefused if the file has another format, was encrypted to other keys, or was changed since;
        SecretsLocked when the key is missing.
        """

    def written(self, values: Mapping[str, Secret], recipients: Sequence[str]) -> str:
        """Returns a file that is encrypted for these public keys; raises SecretsFileRefused."""


class SecretFiles(Protocol):
    """The encrypted files of jobs. Every change is fenced: it raises LeaseLost if the token is not valid."""

    def find(self, job: int) -> str | None:
        """Returns the file of a job; None if it was already imported."""

    def keep(self, job: int, app: str, text: str, fence: Fence) -> None:
        """Stores the file that a job has written."""

    def set_secrets(self, app: str, values: Mapping[str, Secret], fence: Fence) -> dict[str, int]:
        """Stores the values from the job's file as secrets of the app, in the name of the person who sent the file.
        Deletes the file, and returns the new version of each secret.

        Raises Conflict for a name that Norn itself sets, InvalidRequest if the app would exceed its limits.
        """
