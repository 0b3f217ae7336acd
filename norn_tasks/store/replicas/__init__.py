"""The replicas of long-running apps, their addresses for the router, and their repair."""
