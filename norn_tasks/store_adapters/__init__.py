"""Implementations of ports that use the store. They have a layer of their own, because adapters may not import the
store.
"""
