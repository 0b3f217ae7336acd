"""Measurements: ratios side by side in one run, printed; none is a test of time."""
