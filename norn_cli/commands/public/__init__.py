"""The commands about the public names of apps."""
