"""Sources of apps: archives, the tree in them, and its links."""
