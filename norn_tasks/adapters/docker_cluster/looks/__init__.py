"""Observes the cluster: the state of each replica, its health, and how its program ended."""
