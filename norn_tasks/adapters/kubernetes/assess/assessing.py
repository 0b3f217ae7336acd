"""Computes the verdict on a rollout: complete, in progress, or failed because of the first trouble that lasted too
long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from norn_tasks.adapters.kubernetes.assess.counts import lacking, unread
from norn_tasks.adapters.kubernetes.assess.objects import KubeObject, condition, text
from norn_tasks.adapters.kubernetes.assess.patience import has_lasted, hint_of
from norn_tasks.adapters.kubernetes.assess.rollouts import SeenRollout, rollout_of
from norn_tasks.adapters.kubernetes.assess.rules import RULES
from norn_tasks.adapters.kubernetes.assess.verdicts import Assessment, RolloutTrouble, RolloutVerdict
from norn_tasks.adapters.kubernetes.assess.verdicts import RolloutCause as Cause


def assess(objects: Sequence[KubeObject], now: datetime) -> Assessment:
    """Returns the verdict on the rollout that these objects show.

    `now`: the moment at which they were read. Trouble that may pass by itself counts as a failure only once it has
    lasted for some time. Raises `NotAssessable` if the objects show no rollout, or more than one.
    """
    seen = rollout_of(objects, now)
    if early := unread(seen):
        return _progressing(early)
    late = _deadline(seen)
    missing = late or lacking(seen)
    if missing is None:
        return _available(seen)
    troubles = [trouble for rule in RULES for trouble in rule(seen)]
    if lasting := next((each for each in troubles if has_lasted(each, now)), None):
        return _failed(lasting)
    if late:
        return _failed(_explained(late, troubles))
    return _progressing(next(iter(troubles), missing))


def _deadline(seen: SeenRollout) -> RolloutTrouble | None:
    """Returns a trouble if the Deployment made no progress within the time that its spec allows."""
    found = condition(seen.subject, "Progressing")
    if text(found, "reason") != "ProgressDeadlineExceeded":
        return None
    seconds = text(seen.subject, "spec", "progressDeadlineSeconds")
    return RolloutTrouble(
        Cause.DEADLINE, f"the rollout made no progress for {seconds or 600} s", reason=text(found, "reason")
    )


def _explained(late: RolloutTrouble, troubles: Iterable[RolloutTrouble]) -> RolloutTrouble:
    """Returns the trouble that explains why the rollout missed its deadline; `late` itself if no rule found one."""
    for each in troubles:
        return RolloutTrouble(each.cause, f"{late.sentence}: {each.whole_sentence}", each.pod, hint=each.hint)
    return late


def _available(seen: SeenRollout) -> Assessment:
    count = seen.wanted
    sentence = "1 pod is new and ready" if count == 1 else f"{count} pods are new and ready"
    if count == 0:
        sentence = "no pod is wanted, and none runs"
    return Assessment(RolloutVerdict.AVAILABLE, Cause.AVAILABLE, f"{sentence}, and no old one is left")


def _failed(trouble: RolloutTrouble) -> Assessment:
    return Assessment(RolloutVerdict.FAILED, trouble.cause, trouble.whole_sentence, hint_of(trouble), trouble.pod)


def _progressing(trouble: RolloutTrouble) -> Assessment:
    return Assessment(RolloutVerdict.PROGRESSING, trouble.cause, trouble.whole_sentence, hint_of(trouble), trouble.pod)
