"""Commands that show apps, and what happened to them."""
