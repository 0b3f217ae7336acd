"""The cluster `docker`: webservers and workers as long-running containers of the local engine."""

from norn_tasks.adapters.docker_cluster.cluster import DockerCluster as DockerCluster
