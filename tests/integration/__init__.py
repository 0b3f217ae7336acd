"""Integration tests: several modules together, with real stores."""
