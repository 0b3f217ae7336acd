"""Adapters of the edge, which is the HTTPS server of this machine. They add host names, and check from outside which
certificates the edge presents.
"""
