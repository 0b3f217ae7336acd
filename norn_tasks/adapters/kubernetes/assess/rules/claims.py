"""Finds new pods whose volume claims are not bound to a volume."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from norn_tasks.adapters.kubernetes.assess.events import SeenEvent
from norn_tasks.adapters.kubernetes.assess.messages import brief, read, reading
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, created, name_of, parts, text
from norn_tasks.adapters.kubernetes.assess.pods import SeenPod
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_REPEATED = timedelta(seconds=300)
"""The time within which Kubernetes repeats the event of a trouble that continues, even in a cluster that limits
repeated events.
"""

_UNBOUND = (
    reading(
        r'storageclass\S* "(?P<name>[^"]+)" not found',
        Cause.CLAIM_UNBOUND,
        'the claim "{claim}" asks for the storage class "{name}", which does not exist',
    ),
    reading(
        r"no persistent volumes available for this claim and no storage class is set",
        Cause.CLAIM_UNBOUND,
        'the claim "{claim}" has no storage class, and no free volume fits it',
    ),
    reading(
        r"no volume plugin matched|is not supported|not found",
        Cause.CLAIM_UNBOUND,
        'the claim "{claim}" cannot get a volume: {said}',
    ),
    reading(r"", Cause.CLAIM_PROVISIONING, 'the claim "{claim}" has no volume yet: {said}'),
)


def unbound_claims(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the volume claims of new pods that are not bound to a volume, with the reason from their events."""
    for pod in seen.unready:
        for volume in parts(pod.thing, "spec", "volumes"):
            claim = seen.claims.get(text(volume, "persistentVolumeClaim", "claimName"))
            if claim is not None and (trouble := _of(seen, claim, pod)):
                yield trouble


def _of(seen: SeenRollout, claim: KubeObject, pod: SeenPod) -> RolloutTrouble | None:
    name, phase = name_of(claim), text(claim, "status", "phase")
    if phase == "Lost":
        return RolloutTrouble(
            Cause.CLAIM_UNBOUND, f'the volume of the claim "{name}" no longer exists', pod.name, reason=phase
        )
    events = [each for each in seen.events_of(claim) if _telling(each, pod)]
    if phase == "Bound" or not events:
        return None
    found = read(events[-1].message, _UNBOUND, claim=name, said=brief(events[-1].message))
    since = max(filter(None, (events[0].first or created(claim), pod.since)), default=None)
    return RolloutTrouble(*found, pod=pod.name, since=since, reason=events[-1].reason) if found else None


def _telling(event: SeenEvent, pod: SeenPod) -> bool:
    """Returns True for an event that explains why the claim has no volume now. The event that the claim waits until the
    pod is scheduled explains nothing.

    An event that last happened long before the pod existed is too old, because trouble that continues repeats its
    event.
    """
    if pod.since and not event.not_before(pod.since - _REPEATED):
        return False
    return event.reason in ("FailedBinding", "ProvisioningFailed", "ExternalProvisioning", "ClaimMisbound")
