"""The program inside the nest, which starts a sandbox for each run with crun; it needs only the standard library."""
