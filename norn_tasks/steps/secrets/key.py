"""A new key for the server: it is made first, and then everything that is sealed is sealed to it."""

from __future__ import annotations

from norn_tasks.domain.jobs.facts import NewServerKey
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.steps.step import Step, StepContext


class MakeKey(Step):
    """Puts a new key first in the key file; a worker that takes the job over uses the new key that is already there."""

    name = "make-key"

    def run(self, context: StepContext) -> Learned | None:
        """Notes the public key; raises Conflict if workers cannot change the key."""
        in_use = context.tools.sealed_rows.in_use()
        public = context.tools.keyring.add_key(in_use)
        return Learned(facts=(NewServerKey(public),), note=public)


class ResealSecrets(Step):
    """Seals to the new key everything that is sealed to another key."""

    name = "reseal-secrets"

    def run(self, context: StepContext) -> Learned | None:
        """Notes how many texts were sealed again; raises SecretsLocked for one that no key opens."""
        public = context.job.facts.require(NewServerKey).public
        rows, keyring, watch = context.tools.sealed_rows, context.tools.keyring, context.watch
        rows.use(public, watch.fence)
        count = 0
        for each in rows.all():
            watch.stop.check()
            count += rows.reseal(each, lambda sealed: keyring.resealed(sealed, public), watch.fence)
        return Learned(note=f"{count} sealed to the new key")
