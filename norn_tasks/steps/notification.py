"""The steps that send messages to receivers outside: one try of one delivery, and the call of the dead man's switch, an
outside service that raises an alarm when Norn no longer calls it.
"""

from __future__ import annotations

from norn_tasks.domain.jobs.job import Problem
from norn_tasks.domain.jobs.requests import NotifyJobRequest
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.domain.jobs.writes import DeadManCalled, DeliveryTried
from norn_tasks.steps.step import Step, StepContext


class SendNotification(Step):
    """Tries a delivery once. If it fails, the scheduler requests another try later."""

    name = "send-notification"
    patient = False

    def run(self, context: StepContext) -> Learned | None:
        """Records the result. The job fails if the message was not accepted, or if some mail addresses must still get
        it.
        """
        delivery = context.job.request_as(NotifyJobRequest).delivery
        receipt = context.tools.messenger.deliver(delivery)
        if receipt is None:
            return Learned(note="there is nothing left to send")
        failed = None
        if not receipt.taken:
            failed = Problem(
                "not_delivered", receipt.outcome, "norn notify deliveries NAME says when it is tried again"
            )
        tried = DeliveryTried(delivery, receipt.taken, receipt.outcome, receipt.pause, receipt.left)
        return Learned(writes=(tried,), note=receipt.outcome, failed=failed)


class CallDeadMan(Step):
    """Calls the address of the dead man's switch."""

    name = "call-deadman"
    patient = False

    def run(self, context: StepContext) -> Learned | None:
        """Records the result of the call."""
        receipt = context.tools.messenger.call_deadman()
        failed = None if receipt.taken else Problem("not_delivered", receipt.outcome, "check NORN_DEADMAN_URL")
        return Learned(writes=(DeadManCalled(receipt.taken, receipt.outcome),), note=receipt.outcome, failed=failed)
