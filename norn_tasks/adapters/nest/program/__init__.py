"""The program inside the nest: it starts a sandbox for each run by crun, and needs only the standard library."""
