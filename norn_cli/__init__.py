"""The `norn` command: sends HTTP requests to a Norn server and prints the responses."""
