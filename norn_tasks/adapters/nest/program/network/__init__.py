"""The network of sandboxes: network namespaces that are made in advance, and the lookup of names."""
