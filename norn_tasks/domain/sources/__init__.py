"""Sources of apps: archives, the trees of files in them with their links, and references to images."""
