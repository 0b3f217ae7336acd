"""Steps of features that this server does not have: every app skips them, with the reason."""
