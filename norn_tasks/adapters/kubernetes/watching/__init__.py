"""Notices changes in the cluster immediately."""
