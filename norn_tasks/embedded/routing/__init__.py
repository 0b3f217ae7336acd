"""The router of `norn up`, which keeps running after `norn down`: the process that restarts it, its start and
its end.
"""
