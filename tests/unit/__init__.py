"""Unit tests: one module, without processes and stores."""
