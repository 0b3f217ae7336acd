"""Pushes: the requests of GitHub, Gitea and GitLab that report one, their signatures, and the files that it changed."""
