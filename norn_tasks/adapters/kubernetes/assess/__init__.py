"""The verdict on a rollout, as a pure function over objects of Kubernetes.

`assess` reads a Deployment with its ReplicaSets, pods, events, claims and nodes, and sends nothing to a cluster. The
gate of a rollout, the status of an app and `python -m norn_tasks.adapters.kubernetes.assess` therefore agree, and every
verdict can be tested with a file. `docs/kubernetes-verdicts.md` lists the causes.
"""

from norn_tasks.adapters.kubernetes.assess.assessing import assess
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject
from norn_tasks.adapters.kubernetes.assess.verdicts import Assessment, NotAssessable, RolloutCause, RolloutVerdict

__all__ = ["assess", "Assessment", "KubeObject", "NotAssessable", "RolloutCause", "RolloutVerdict"]
