"""Tests: a database of an older version, migrated to this one's schema."""
