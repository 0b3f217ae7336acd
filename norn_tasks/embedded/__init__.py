"""What `norn up` starts: stores, API, workers, beat and router under one supervisor, in one data directory."""
