"""Tests of the `norn` command against a small real HTTP server that responds as the API does."""
