"""Long proofs of what the suite shows in short: `make soak`."""
