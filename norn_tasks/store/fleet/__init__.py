"""Workers, beats, engines, and what these have of memory and disk."""
