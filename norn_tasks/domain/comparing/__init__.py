"""Compares apps with their infraspecs: changes that Norn would make to an app, and changes that others have
made to it.
"""
