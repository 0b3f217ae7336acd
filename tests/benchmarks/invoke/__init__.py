"""A call of a function through Norn by both roads, beside what a container costs without Norn."""
