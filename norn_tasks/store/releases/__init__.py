"""Deployments and releases: accepting a deployment, going live, returning after a failed rollout."""
