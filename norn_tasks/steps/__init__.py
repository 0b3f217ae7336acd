"""What pipelines are made of: one outside resource per file, making and unmaking side by side."""
