"""The step that checks a release's secrets: all secrets that its infraspec names must be set before anything is
changed.
"""

from __future__ import annotations

from norn_tasks.domain.infraspec import Infraspec
from norn_tasks.domain.jobs.facts import SecretVersions
from norn_tasks.domain.jobs.step import Learned
from norn_tasks.steps.step import Step, StepContext


class SyncSecrets(Step):
    """Records which versions of the app's secrets go live. With `strict` False (forge), it only notes which are not set
    yet.
    """

    name = "sync-secrets"

    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict

    def skip_reason(self, spec: Infraspec) -> str | None:
        """Returns a reason to skip the step for an app that names no secrets."""
        return None if spec.secrets else "no secrets named"

    def run(self, context: StepContext) -> Learned | None:
        """Returns names and versions as a fact; raises SecretsMissing, or SecretsLocked if one cannot be decrypted."""
        missing = context.missing_secrets
        if missing and not self._strict:
            return Learned(note=f"not set yet: {', '.join(missing)}")
        context.secrets()
        versions = {each.name: each.version for each in context.named_secrets}
        note = ", ".join(f"{name} v{version}" for name, version in versions.items())
        return Learned(facts=(SecretVersions(versions),), note=note, skipped=not self._strict)
