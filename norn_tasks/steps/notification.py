"""Telling somebody outside: one try of one delivery, and the dead man's call."""

from __future__ import annotations

from norn_tasks.domain.job import Problem
from norn_tasks.domain.step import Learned
from norn_tasks.domain.writes import DeadManCalled, DeliveryTried
from norn_tasks.steps.step import Context, Step


class SendNotification(Step):
    """Tries a delivery once; beat tries it again later."""

    name = "send-notification"
    patient = False

    def run(self, context: Context) -> Learned | None:
        """Writes what came of it; the job fails when nobody took it."""
        delivery = int(context.job.args["delivery"])
        receipt = context.tools.messenger.deliver(delivery)
        if receipt is None:
            return Learned(note="nothing to send any more")
        failed = None
        if not receipt.taken:
            failed = Problem("not_delivered", receipt.told, "norn notify deliveries NAME tells when it is tried again")
        return Learned(writes=(DeliveryTried(delivery, receipt.taken, receipt.told),), note=receipt.told, failed=failed)


class CallDeadMan(Step):
    """Calls the address that expects to be called."""

    name = "call-deadman"
    patient = False

    def run(self, context: Context) -> Learned | None:
        """Writes how it went."""
        receipt = context.tools.messenger.call_deadman()
        failed = None if receipt.taken else Problem("not_delivered", receipt.told, "check NORN_DEADMAN_URL")
        return Learned(writes=(DeadManCalled(receipt.taken, receipt.told),), note=receipt.told, failed=failed)
