"""Looks at a replica that failed, for the cause that its sentence names."""

from norn_tasks.adapters.docker_cluster.examination.evidence import examined

__all__ = ["examined"]
