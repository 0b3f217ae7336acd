"""Collecting what replicas write, so that it is kept longer than the engine keeps it.

Each container is read by one reader at a time, whatever the number of people who look. It follows what the engine
sends while that is little. The engine rotates its files, and a follower that is behind can miss a whole file that is
still there; so as soon as much comes, what came is dropped and read again with a request that does not follow, which
the engine answers from all of its files.
"""

from norn_tasks.adapters.docker_cluster.collecting.collector import LogCollector
from norn_tasks.adapters.docker_cluster.collecting.container import LastLines

__all__ = ["LastLines", "LogCollector"]
