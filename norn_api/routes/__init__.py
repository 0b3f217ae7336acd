"""The endpoints of the API: one noun per file, one function per method and path."""
