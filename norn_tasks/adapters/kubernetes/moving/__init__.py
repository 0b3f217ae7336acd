"""Apps that moved from Docker to Kubernetes: the router still receives their requests, and sends them to their
Services.
"""
