"""Runs of commands on a Kubernetes cluster: one Job for each, which Norn follows to its end and removes."""
