"""Function calls over HTTP: turns a request into the function's input, and its output into the response."""
