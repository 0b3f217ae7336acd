"""The REST API: parses a request, authorises it, asks the layers below, answers."""
