"""The program that runs inside the nest container and starts a sandbox with crun for each run. It uses only the
standard library.
"""
