"""Accepts calls of functions, several in one transaction if they arrive together, and limits the queues of waiting
calls.
"""
