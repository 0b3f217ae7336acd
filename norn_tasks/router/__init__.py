"""The router: one loopback address per webserver of the docker cluster, which survives deploys and drops no request.

The path of a request: `ports` (one per app) accepts a `client`, whose bytes `protocol` turns into requests; `table`
chooses the replica with the fewest open requests, `exchange` carries the request there, and the answer back, over a
connection of `replica`. `rows` reads the routing table from the database and writes the router's reports.
"""
