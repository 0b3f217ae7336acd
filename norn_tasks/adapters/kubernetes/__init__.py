"""Webservers and workers on a Kubernetes cluster.

Nothing here imports the client library before a cluster is used: a worker without one does not pay for that import.
"""
