"""The outside world, one system per file: each keeps a Protocol of `ports` and raises only our errors."""
