"""The rules of functions alone: the callers that one accepts, and the form of its answer."""
