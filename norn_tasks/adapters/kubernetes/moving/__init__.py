"""Apps that have moved to Kubernetes: the router leads their requests to their Services."""
