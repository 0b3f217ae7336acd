"""Routes that accept work on an app, and routes that read deployments, jobs and logs."""
