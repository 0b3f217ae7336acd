"""The edge: the HTTPS server Caddy on ports 80 and 443, which sends requests to the router's port for public names."""
