"""The `norn` command: speaks HTTP to a Norn server and prints its responses."""
