"""The Docker engine: its client, images, networks, volumes, registry and disk."""
