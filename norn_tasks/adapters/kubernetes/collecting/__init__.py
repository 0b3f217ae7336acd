"""Collects the output of pods, so that it is kept after the pods are gone.

Each pod has one reader, no matter how many clients read its log. The reader follows the log of the pod's program; when
the node has started the program again, it first reads what the earlier program wrote last. A pod ends only after its
program, and the reader follows the log until the program ends, so it also gets the pod's last lines.
"""

from norn_tasks.adapters.kubernetes.collecting.collector import PodLogCollector

__all__ = ["PodLogCollector"]
