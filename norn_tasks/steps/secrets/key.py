"""The steps that rotate the server's key: they create a new key, and then encrypt every secret again with that key."""

from __future__ import annotations

from norn_tasks.domain.jobs.facts import NewServerKey
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.steps.step import Step, StepContext


class MakeKey(Step):
    """Adds a new key at the beginning of the key file. A worker that takes the job over uses the new key that is
    already there.
    """

    name = "make-key"

    def run(self, context: StepContext) -> Learned | None:
        """Returns the public key as a fact; raises Conflict if workers cannot change the key file."""
        in_use = context.tools.sealed_rows.in_use()
        public = context.tools.keyring.add_key(in_use)
        return Learned(facts=(NewServerKey(public),), note=public)


class ResealSecrets(Step):
    """Encrypts every stored text again, so that the new key decrypts it."""

    name = "reseal-secrets"

    def run(self, context: StepContext) -> Learned | None:
        """Returns a note with the number of texts; raises SecretsLocked if no key decrypts one of them."""
        public = context.job.facts.require(NewServerKey).public
        rows, keyring, watch = context.tools.sealed_rows, context.tools.keyring, context.watch
        rows.use(public, watch.fence)
        count = 0
        for each in rows.all():
            watch.stop.check()
            count += rows.reseal(each, lambda sealed: keyring.resealed(sealed, public), watch.fence)
        return Learned(note=f"{count} sealed to the new key")
