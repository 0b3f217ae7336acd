"""The parts of pipelines: one outside resource per file, making and unmaking side by side."""
