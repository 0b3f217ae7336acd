"""Looks at the cluster: the state of each replica, its health, and the ends of its program."""
