"""The core of Norn: the job ledger, the pipelines that do the work, and the adapters to the outside world."""
