"""The router: one loopback address per webserver of the docker cluster, which survives deploys and drops no request.

A request's way: `doors` (one listening port per app) reads it from a `wire`, `table` chooses the replica with the
fewest open requests, `exchange` carries it there and its answer back; `rows` brings what the workers wrote, and takes
word back.
"""
