"""The server that `norn up` starts: stores, API, workers, scheduler and router under one supervisor, in one data
directory.
"""
