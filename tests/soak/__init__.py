"""Soak tests: long versions of the short tests in other folders, run by `make soak`."""
