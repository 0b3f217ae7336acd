"""Hostile inputs, made by code: specs, archives, Dockerfiles and requests. Tests take all of them or every n-th."""
