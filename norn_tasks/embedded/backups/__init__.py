"""Backs up the control plane into one file, and restores it."""
