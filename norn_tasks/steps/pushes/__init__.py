"""Steps that decide after a push whether to deploy."""
