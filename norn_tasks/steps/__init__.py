"""The steps of pipelines. Each file is about one outside resource, and has the steps that create and remove it."""
