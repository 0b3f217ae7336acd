"""Workers, schedulers and engines, and the memory and disk space that they report."""
