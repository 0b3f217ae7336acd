"""Workers, beats and engines, and the memory and disk space that they report."""
