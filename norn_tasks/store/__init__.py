"""The tables of Norn, every statement on them, and the use of Redis besides wake-ups."""
