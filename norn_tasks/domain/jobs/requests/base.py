"""The base class of all requests: converts a request into JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Self

from norn_tasks.domain.jobs.job import JobKind
from norn_tasks.domain.stored import dump, load


@dataclass(frozen=True)
class JobRequest:
    """The arguments of a job; each kind of job has a class of its own."""

    kind: ClassVar[JobKind]
    """The kind of jobs that have this request."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON that the job's row keeps."""
        written = dump(self)
        optional = {field.name for field in fields(self) if field.default is None}
        return {key: value for key, value in written.items() if value is not None or key not in optional}

    @classmethod
    def from_json(cls, args: Mapping[str, Any]) -> Self:
        """Reads a request from the arguments in a row, where a missing key counts as null; raises JobUnreadable."""
        required = {field.name: None for field in fields(cls) if field.default is MISSING}
        return load(cls, {**required, **args})
