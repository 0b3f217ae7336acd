"""Files of apps in rows, which hold them until a worker or a client gets them."""
