"""The router: one loopback address per webserver of the docker cluster, which survives deploys and drops no request."""
