"""Function calls over HTTP: from the request to the function's input, and from its output to the response."""
