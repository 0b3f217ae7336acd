"""Adapters: each connects Norn to one outside system, implements a Protocol of `ports`, and raises only Norn's own
errors.
"""
