"""The network of sandboxes: namespaces that are made ahead, and names."""
