"""Rules for functions alone: the callers that a function accepts, and the form of its answer."""
