"""The docker cluster: webservers and workers as long-running containers on the local engine."""
