"""The long proofs run on what the end-to-end tests run on."""

from tests.e2e.conftest import engine_address, environment, stack

__all__ = ["engine_address", "environment", "stack"]
