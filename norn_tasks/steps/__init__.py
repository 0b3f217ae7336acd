"""The steps of pipelines: each file has one outside resource, with the steps that make it and that remove it."""
