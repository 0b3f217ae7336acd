"""Commands that change an app."""
