"""Collects the output of replicas, so that Norn keeps it longer than the engine does.

Each container has one reader at a time, no matter how many clients read its log. The reader follows the engine's log
while there is little output. The engine rotates its log files, and a follower that is too slow can miss a file
completely. So when there is much output, the reader stops following. It then reads that output again with requests that
do not follow, which the engine answers from all of its files.
"""

from norn_tasks.adapters.docker_cluster.collecting.collector import LogCollector
from norn_tasks.adapters.docker_cluster.collecting.container import LastLines

__all__ = ["LastLines", "LogCollector"]
