"""Steps that take images from the registries of apps."""
