"""The stories: each a function that returns a tuple of steps; and the runner that plays them."""
