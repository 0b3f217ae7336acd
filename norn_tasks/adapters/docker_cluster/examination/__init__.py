"""Examines a replica that failed, to find the cause that the error names."""

from norn_tasks.adapters.docker_cluster.examination.evidence import examined

__all__ = ["examined"]
