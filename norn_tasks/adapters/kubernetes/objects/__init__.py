"""Builds the objects of an app from its workload: pure functions, one kind of object per file.

Each returns the whole object, which is applied with the field manager `norn`. The pod template depends on the
generation and on what a rollout changes, and on nothing that differs between versions of Norn.
"""
