"""The program inside the nest, which uses crun to start a sandbox for each run; it needs only the standard library."""
