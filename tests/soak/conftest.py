"""Gives the soak tests the fixtures of the end-to-end tests."""

from tests.e2e.conftest import engine_address, environment, stack

__all__ = ["engine_address", "environment", "stack"]
