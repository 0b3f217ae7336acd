"""Comparisons: the changes that Norn would make to an app, and the changes that others have made to it."""
