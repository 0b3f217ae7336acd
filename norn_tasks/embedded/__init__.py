"""The server of `norn up`: stores, API, workers, beat and router under one supervisor, in one data directory."""
