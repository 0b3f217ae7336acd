"""The steps that make apps reachable from the internet."""
