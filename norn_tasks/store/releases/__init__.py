"""Deployments and releases: accepting one, going live, returning after a failed rollout."""
