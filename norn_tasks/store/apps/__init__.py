"""Apps: rows and directories, uploaded sources, internal names, scale overrides, and secrets."""
