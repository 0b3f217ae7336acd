"""Measures a call of a function through Norn by both of its runtimes for calls, next to the cost of a container without
Norn.
"""
