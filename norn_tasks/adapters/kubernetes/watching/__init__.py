"""Notices changes in the cluster as they happen."""
