"""The tables of Norn, all SQL statements on them, and all uses of Redis except wake-ups."""
