"""Packing a directory on this machine and uploading it to the server."""
