"""The rules that only functions have: the callers that one accepts, and the form of its answer."""
