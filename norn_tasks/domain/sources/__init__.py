"""Sources of apps: uploaded archives, the trees of files and links in them, and references to images."""
