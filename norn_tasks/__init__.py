"""The core of Norn: its stored state, the pipelines that carry out jobs, and the adapters to outside systems such as
Docker.
"""
