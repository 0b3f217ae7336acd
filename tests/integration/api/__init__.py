"""The REST API against a real database, through Flask's test client or a real gunicorn."""
