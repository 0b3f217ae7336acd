"""Comparisons: the changes that Norn would make of an app, and those that others have made."""
