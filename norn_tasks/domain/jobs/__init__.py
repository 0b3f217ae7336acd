"""Work: jobs, their steps and ends, deployments, executions, replicas and events."""
