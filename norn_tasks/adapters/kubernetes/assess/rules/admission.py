"""Finds pods that the API server refuses to create because of quotas, limits, policies or webhooks. Such a pod never
exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from norn_tasks.adapters.kubernetes.assess.messages import read, reading
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, condition, holds, moment, number, text
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutTrouble

_RECENT = timedelta(seconds=60)
"""How old the last refusal may be if only an event shows it, because events remain after the refusals have ended."""
_FORBIDDEN = re.compile(r'\A(?:Error creating: )?(?:pods? "[^"]*" is forbidden: )?', re.IGNORECASE)

_REFUSALS = (
    reading(
        r"exceeded quota: (?P<quota>[^,]+), (?P<figures>requested: .*)",
        Cause.QUOTA,
        'the quota "{quota}" does not allow another pod: {figures}',
    ),
    reading(
        r"failed quota: (?P<quota>[^:]+): must specify (?P<what>.*?)(?: for: .*)?$",
        Cause.QUOTA_NEEDS_LIMITS,
        'the quota "{quota}" asks every pod for {what}, which this one does not set',
    ),
    reading(
        r'failed calling (?:admission )?webhook "(?P<name>[^"]+)":? ?(?P<why>.*)',
        Cause.WEBHOOK_UNREACHABLE,
        'the admission webhook "{name}" cannot be asked: {why}',
    ),
    reading(
        r'admission webhook "(?P<name>[^"]+)" denied the request(?: without explanation)?:? ?(?P<why>.*)',
        Cause.ADMISSION_DENIED,
        'the admission webhook "{name}" refuses the pod: {why}',
    ),
    reading(
        r"ValidatingAdmissionPolicy '(?P<name>[^']+)'.*?denied request: (?P<why>.*)",
        Cause.ADMISSION_DENIED,
        'the admission policy "{name}" refuses the pod: {why}',
    ),
    reading(
        r'violates PodSecurity "(?P<level>[^"]+)": (?P<why>.*)',
        Cause.POD_SECURITY,
        'the namespace allows only pods of the level "{level}": {why}',
    ),
    reading(
        r"unable to validate against any (?:pod security policy|security context constraint): ?(?P<why>.*)",
        Cause.POD_SECURITY,
        "no security policy of the cluster allows the pod: {why}",
    ),
    reading(
        r"serviceaccount \"(?P<name>[^\"]+)\" not found",
        Cause.SERVICE_ACCOUNT_MISSING,
        'the ServiceAccount "{name}" of the pod does not exist',
    ),
    reading(
        r"(?P<why>(?:maximum|minimum) .* per (?:container|pod) is .*|.* to limit ratio per .*)",
        Cause.LIMIT_RANGE,
        "a LimitRange of the namespace refuses the pod: {why}",
    ),
    reading(
        r"unexpected EOF|connection re(?:fused|set)|timed? ?out|deadline exceeded|etcdserver|try again"
        r"|too many requests|internal error|system:serviceaccount:kube-system:",
        Cause.CONTROL_PLANE,
        "the cluster itself could not create the pod: {said}",
    ),
    reading(r"", Cause.POD_REFUSED, "the cluster refuses to create the pod: {said}"),
)


def refused_pods(seen: SeenRollout) -> Iterator[RolloutTrouble]:
    """Yields the reason why the API server refuses the pods of the new ReplicaSet."""
    failure = _failure(seen)
    if failure and number(seen.new, "status", "replicas") < _size(seen):
        message = _FORBIDDEN.sub("", text(failure, "message"))
        found = read(message.rstrip(". "), _REFUSALS)
        if found:
            yield RolloutTrouble(*found, since=moment(failure, "lastTransitionTime"), reason="FailedCreate")


def _size(seen: SeenRollout) -> int:
    """Returns how many pods the new ReplicaSet should have."""
    return number(seen.new, "spec", "replicas", default=1) if seen.new is not None else max(seen.wanted, 1)


def _failure(seen: SeenRollout) -> KubeObject:
    """Returns the condition or the event that reports refused pods of the new ReplicaSet."""
    own = condition(seen.new, "ReplicaFailure")
    if holds(own, True):
        return own
    of_all = condition(seen.subject, "ReplicaFailure")
    others = [text(condition(each, "ReplicaFailure"), "message") for each in seen.old]
    if holds(of_all, True) and text(of_all, "message") not in others:
        return of_all
    return {} if seen.pods else _by_events(seen)


def _by_events(seen: SeenRollout) -> KubeObject:
    """Returns the refusal that is visible only in events of the new ReplicaSet: a recent one, after the last
    success.
    """
    events = seen.events_of(seen.new or {})
    created = max((each.last for each in events if each.last and each.reason == "SuccessfulCreate"), default=None)
    refused = [
        each
        for each in events
        if each.reason == "FailedCreate" and each.not_before(seen.now - _RECENT) and each.not_before(created)
    ]
    return {"message": refused[-1].message, "lastTransitionTime": refused[0].first} if refused else {}
