"""The reading of a fetched source, which several steps need."""
