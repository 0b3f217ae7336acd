"""The roots of sandboxes: images, and the layers that they share."""
