"""The rules for prose (CONTRIBUTING, "Prose"), which docstrings, comments and pages must follow.

`python -m tests.architecture.prose [PATH…]` prints every finding. `rules` has the words, `text` finds the prose,
`names` finds class names that are used twice, `files` finds references to files that do not exist, `pending` lists the
folders that do not follow the rules yet.
"""
