"""The dashboard: the page at `/`, which does nothing that the REST API cannot."""
