"""The nest: one long-lived container per engine, in which a program of Norn starts a sandbox with crun for each run.
This takes milliseconds; a container of Docker takes much longer.
"""
