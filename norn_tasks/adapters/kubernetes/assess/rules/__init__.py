"""The rules: each looks for one group of causes. The first rule that finds a lasting cause decides the verdict.

The rules are in the order of a pod's life, so that the earliest cause decides: a pod that was refused, for example, has
no containers to examine. The rule for probes comes before the rule for ended containers, because a container that was
killed for a failed probe looks as if it had crashed.
"""

from collections.abc import Callable, Iterator

from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.rules.admission import refused_pods
from norn_tasks.adapters.kubernetes.assess.rules.claims import unbound_claims
from norn_tasks.adapters.kubernetes.assess.rules.configuration import bad_configuration
from norn_tasks.adapters.kubernetes.assess.rules.ends import ended_containers
from norn_tasks.adapters.kubernetes.assess.rules.images import missing_images
from norn_tasks.adapters.kubernetes.assess.rules.mounts import missing_mounts
from norn_tasks.adapters.kubernetes.assess.rules.nodes import node_trouble
from norn_tasks.adapters.kubernetes.assess.rules.probes import failing_probes
from norn_tasks.adapters.kubernetes.assess.rules.scheduling import unscheduled_pods
from norn_tasks.adapters.kubernetes.assess.rules.starts import failed_starts
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

Rule = Callable[[SeenRollout], Iterator[RolloutTrouble]]

RULES: tuple[Rule, ...] = (
    refused_pods,
    unbound_claims,
    unscheduled_pods,
    node_trouble,
    missing_mounts,
    missing_images,
    bad_configuration,
    failed_starts,
    failing_probes,
    ended_containers,
)

__all__ = ["RULES", "Rule"]
