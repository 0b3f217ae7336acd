"""Steps about the shared services of an app."""

from norn_tasks.steps.services.provision import DeleteServices, ProvisionServices

__all__ = ["DeleteServices", "ProvisionServices"]
