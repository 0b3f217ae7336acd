"""`python -m norn_tasks.adapters.kubernetes.assess FILE.yaml`: prints the verdict on the objects in a file, without
using a cluster.

`kubectl get deployments,replicasets,pods,events,pvc,nodes -o yaml` writes such a file. The verdict is one line of JSON.
Exit status: 0 for every verdict, 2 for a file whose objects allow no verdict.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from norn_tasks.adapters.kubernetes.assess.assessing import assess
from norn_tasks.adapters.kubernetes.assess.files import objects_in
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, moment
from norn_tasks.adapters.kubernetes.assess.verdicts import NotAssessable

_STDIN = "standard input"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the verdict and returns the exit status."""
    chosen = _chosen(arguments)
    try:
        found = assess(_read(chosen.file), _now(chosen.now))
    except NotAssessable as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(found), ensure_ascii=False))
    return 0


def _chosen(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(
        prog="python -m norn_tasks.adapters.kubernetes.assess",
        description="Print the verdict on the rollout in a file of Kubernetes objects, as JSON.",
    )
    parser.add_argument("file", metavar="FILE", help="YAML or JSON: documents or a List; - for standard input")
    parser.add_argument("--now", metavar="TIME", help="when the objects were read (RFC 3339); default: now")
    return parser.parse_args(arguments)


def _read(file: str) -> list[KubeObject]:
    where = _STDIN if file == "-" else file
    try:
        written = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return objects_in(written.decode("utf-8-sig"), where)
    except OSError as error:
        raise NotAssessable(f"{where} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotAssessable(f"{where} is not UTF-8 text") from error


def _now(written: str | None) -> datetime:
    if written is None:
        return datetime.now(UTC)
    found = moment({"now": written}, "now")
    if found is None:
        raise NotAssessable(f'--now "{written}" is not a time such as 2026-11-30T12:00:00Z')
    return found


if __name__ == "__main__":
    sys.exit(main())
