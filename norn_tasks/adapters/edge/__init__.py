"""The edge, as forge and status see it: through its public ports."""
