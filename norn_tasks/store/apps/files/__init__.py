"""Files of apps as rows, which keep the files until a worker or a client fetches them."""
