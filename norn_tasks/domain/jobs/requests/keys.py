"""The keys of requests that SQL reads; Python reads the fields of the classes instead."""

from __future__ import annotations

from typing import Final

GENERATION: Final = "generation"
"""The key of the generation that a change of replicas continues."""
IMAGE_ID: Final = "image_id"
"""The key of the image of the release whose replicas a job changes."""
OVERRIDE: Final = "override"
"""The key of the app's scale override."""
MAY_OPEN: Final = "may_open"
"""The key of the permission to let anyone call a function."""
OVERRIDE_REPLICAS: Final = "replicas"
"""Within the override, the key of its number of replicas."""
REVISION: Final = "revision"
"""The key of the uploaded source that a deploy reads."""
OVERRIDE_SPEC: Final = "spec"
"""Within the override, the key of the number of replicas in the spec at the time when the override was set."""
TRIGGER: Final = "trigger"
"""The key of the reason for a cron run."""
