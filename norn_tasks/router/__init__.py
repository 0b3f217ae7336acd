"""The router: a proxy with one loopback address per webserver of the Docker cluster. An address survives deploys, and
no request is lost.

The path of a request: a port in `ports` (one per app) accepts a connection of `client`. `protocol` parses its bytes
into requests. `table` chooses the replica with the fewest open requests. `exchange` sends the request over a connection
of `replica`, and the answer back. `rows` reads the routing table from the database and writes the router's reports.
"""
