"""Builds the Kubernetes objects of an app from its workload: pure functions, one kind of object per file.

Each function returns the complete object, which is applied with the field manager `norn`. The pod template contains
neither the job nor the version of Norn, because each change of the template would replace all pods.
"""
