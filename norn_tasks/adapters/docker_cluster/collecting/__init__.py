"""Collects the output of replicas, so that it is kept longer than the engine keeps it.

Each container is read by one reader at a time, whatever the number of clients. It follows the engine's log while there
is little output. The engine rotates its files, and a follower that is behind can miss a whole file that still exists.
So as soon as there is much output, the reader drops it and reads it again with a request that does not follow, which
the engine answers from all of its files.
"""

from norn_tasks.adapters.docker_cluster.collecting.collector import LogCollector
from norn_tasks.adapters.docker_cluster.collecting.container import LastLines

__all__ = ["LastLines", "LogCollector"]
