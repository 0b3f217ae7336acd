"""The `norn` command against a small real HTTP server that answers as the API does."""
