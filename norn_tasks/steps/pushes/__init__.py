"""Steps that decide what follows from a push."""
