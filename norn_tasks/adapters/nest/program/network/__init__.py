"""The network of sandboxes: network namespaces that are created in advance, and DNS."""
