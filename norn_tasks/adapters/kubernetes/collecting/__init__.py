"""Collects the output of pods, so that it is kept after the pods are gone.

Each pod has one reader, whatever the number of clients. The reader follows the log of the pod's program; when the node
has started the program again, it first reads what the earlier program wrote last. A pod ends only after its program,
and the log is followed until then, so the last lines of a pod need no other reader.
"""

from norn_tasks.adapters.kubernetes.collecting.collector import PodLogCollector

__all__ = ["PodLogCollector"]
