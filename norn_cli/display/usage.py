"""The processors and memory that apps use, for people."""

from __future__ import annotations

from norn_cli.answers import Json
from norn_cli.display.times import ago

_MIB = 2**20


def cpus(usage: Json | None) -> str:
    """Returns how many processors are in use, as `0.25`; empty if that is not known."""
    return f"{usage['cpus']:.2f}" if usage and usage.get("cpus") is not None else ""


def memory(usage: Json | None) -> str:
    """Returns the memory in use, and the limit if there is one, as `31.2 of 512 MiB`; empty if the usage is not
    known.
    """
    if not usage:
        return ""
    used, limit = usage["memory"] / _MIB, usage.get("memory_limit")
    return f"{used:.1f} of {limit / _MIB:.0f} MiB" if limit else f"{used:.1f} MiB"


def usage_of(app: Json) -> str:
    """Returns what an app uses, with the age of the measurement; empty for an app without replicas."""
    usage = app.get("usage")
    if usage:
        processors = f"{cpus(usage)} CPUs, " if cpus(usage) else ""
        return f"{processors}{memory(usage)} of memory, measured {ago(usage['measured_at'])}"
    if app.get("wanted") is None or not app.get("replicas"):
        return ""
    return "not measured on Kubernetes" if app.get("cluster") == "kubernetes" else "not measured yet"
