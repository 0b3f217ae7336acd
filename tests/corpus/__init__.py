"""Inputs that tests feed to Norn."""
