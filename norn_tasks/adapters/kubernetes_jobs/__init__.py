"""Runs commands on a Kubernetes cluster: one Job for each command, which Norn follows to its end and removes."""
