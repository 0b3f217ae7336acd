"""The writes of a worker about a job that it holds; each is fenced."""
