"""The root file systems of sandboxes: images, and the layers that they share."""
