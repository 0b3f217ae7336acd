"""YAML as infraspecs use it: reading it, the position of each value, and explaining what cannot be read."""
