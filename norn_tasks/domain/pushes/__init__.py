"""Pushes: the webhook requests of GitHub, Gitea and GitLab, their signatures, and the files that a push changed."""
