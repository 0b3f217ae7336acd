"""Reads the YAML of infraspecs, records the position of each value, and explains syntax errors."""
