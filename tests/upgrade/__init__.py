"""A database of an older version, and helpers that migrate it to the present schema."""
