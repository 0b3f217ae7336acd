"""Tests: a database of an older version, and what brings it to today's."""
