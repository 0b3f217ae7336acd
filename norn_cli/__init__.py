"""The `norn` command: speaks HTTP to a Norn server, prints what it answers, and nothing else."""
