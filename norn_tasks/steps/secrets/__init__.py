"""Steps about the secrets of an app."""

from norn_tasks.steps.secrets.files import ExportSecrets, ImportSecrets
from norn_tasks.steps.secrets.key import MakeKey, ResealSecrets
from norn_tasks.steps.secrets.versions import SyncSecrets

__all__ = ["ExportSecrets", "ImportSecrets", "MakeKey", "ResealSecrets", "SyncSecrets"]
