"""Steps that get images from the registries of apps."""
