"""Steps that decide what to do after a push."""
