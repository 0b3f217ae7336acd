"""The tunnel: rules that lead public host names to apps, and the state of each name."""
