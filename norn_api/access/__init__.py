"""Access to the API: authenticating a request, its permission, and what an API without tokens may do."""
