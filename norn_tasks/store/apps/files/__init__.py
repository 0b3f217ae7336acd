"""Files of apps as rows, which are stored until a worker or a client fetches them."""
