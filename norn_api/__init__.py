"""The REST API: parses a request, authorises it, calls `norn_tasks`, and sends the response."""
