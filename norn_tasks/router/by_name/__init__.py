"""Ports that serve several apps; the name in `Host` says which of them is meant."""
