"""Tests that read Norn's source and documents and check the rules for them."""
