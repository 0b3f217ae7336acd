"""The edge: Caddy on ports 80 and 443, in front of the router's port for public names."""
