"""Collects the output of replicas, so that it is kept longer than the engine keeps it.

Each container has one reader at a time, whatever the number of clients. The reader follows the engine's log while there
is little output. The engine rotates the files of its log, and a follower that is behind can miss a whole file that
still exists. So as soon as there is much output, the reader stops following and drops that output. Then it reads the
same output with a request that does not follow, which the engine answers from all of its files.
"""

from norn_tasks.adapters.docker_cluster.collecting.collector import LogCollector
from norn_tasks.adapters.docker_cluster.collecting.container import LastLines

__all__ = ["LastLines", "LogCollector"]
