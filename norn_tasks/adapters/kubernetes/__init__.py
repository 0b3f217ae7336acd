"""Webservers and workers on a Kubernetes cluster.

No module here imports the Kubernetes client library before a cluster is used, so that Norn's worker processes that use
no cluster do not spend time and memory on that import.
"""
