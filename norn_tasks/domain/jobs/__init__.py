"""The values of jobs: their steps and ends, deployments, executions, replicas and events."""
