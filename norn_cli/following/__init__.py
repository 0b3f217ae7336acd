"""Following work that the server does, until it ends."""
