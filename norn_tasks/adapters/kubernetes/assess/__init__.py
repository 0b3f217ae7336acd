"""Computes the verdict on a rollout, as a pure function over Kubernetes objects.

`assess` reads a Deployment with its ReplicaSets, pods, events, volume claims and nodes, and sends nothing to a cluster.
The rollout, the status of an app and the command `python -m norn_tasks.adapters.kubernetes.assess` all use it, so they
always agree. Every verdict can be tested with a file of objects. `docs/kubernetes-verdicts.md` lists the causes.
"""

from norn_tasks.adapters.kubernetes.assess.assessing import assess
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject
from norn_tasks.adapters.kubernetes.assess.verdicts import Assessment, NotAssessable, RolloutCause, RolloutVerdict

__all__ = ["assess", "Assessment", "KubeObject", "NotAssessable", "RolloutCause", "RolloutVerdict"]
