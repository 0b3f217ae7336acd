"""The ports at which several apps are served, and the name in `Host` says which app is meant."""
