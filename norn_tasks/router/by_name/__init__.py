"""Ports that serve several apps. The name in the header `Host` says which app a request is for."""
