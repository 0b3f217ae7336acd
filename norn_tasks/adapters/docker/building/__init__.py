"""Builds of images: their inputs, the builder, and its progress."""
