"""Files of apps that wait in rows for a worker or for a client."""
