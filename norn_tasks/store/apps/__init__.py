"""Apps: rows and directories, uploaded sources, internal names, scale overrides, secrets."""
