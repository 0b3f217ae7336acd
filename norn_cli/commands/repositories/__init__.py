"""The commands about repositories: their logins and webhooks."""
