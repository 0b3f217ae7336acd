"""The steps of the way in from the internet."""
