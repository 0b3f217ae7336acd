"""The writes of a worker to a job that it holds; each is fenced."""
