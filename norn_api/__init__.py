"""The REST API: parses a request, authorises it, calls the layers below, and sends the response."""
